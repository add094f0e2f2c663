import path from 'node:path';
import { z } from 'zod';
import type { HomePaths } from '../home/paths';
import { readJsonFile, writePrivateJson } from '../support/atomic-file';
import { processIdentity } from '../support/process-identity';

/** Background processes of a home. */
export const serviceNames = ['temporal', 'platform', 'worker', 'codec'] as const;
export type ServiceName = (typeof serviceNames)[number];

const recordSchema = z.object({
  pid: z.number().int().positive(),
  /** See process-identity.ts. */
  identity: z.string(),
  /** ISO 8601. */
  startedAt: z.string(),
  /** Ports it listens on, by use (`grpc`, `ui`, `http`); kept over restarts of the home where free. */
  ports: z.record(z.string(), z.number().int()),
  /** What it was started with (code version, server address, task queue): when that changes, it is started anew. */
  setup: z.string(),
  /** Of a worker: whose work it does. */
  serves: z
    .object({
      /** Of the Temporal server. */
      address: z.string(),
      namespace: z.string(),
      taskQueue: z.string(),
      /** The home's own server, whose port may change. */
      isEmbedded: z.boolean(),
    })
    .optional(),
  /** See network.ts. */
  network: z.string().optional(),
  /** Ended by `down`; the record stays for its ports. */
  stopped: z.boolean().optional(),
});

/** State of one background process, as `<stack>/<name>.json` holds it. */
export type ServiceRecord = z.infer<typeof recordSchema>;

const recordFile = (home: HomePaths, name: ServiceName): string => path.join(home.stack, `${name}.json`);

export const logFile = (home: HomePaths, name: ServiceName): string => path.join(home.stack, `${name}.log`);

/** The record, whether or not the process lives; `undefined` when there is none, or one that nobody can read. */
export async function readRecord(home: HomePaths, name: ServiceName): Promise<ServiceRecord | undefined> {
  const parsed = recordSchema.safeParse(await readJsonFile(recordFile(home, name)).catch(() => undefined));
  return parsed.success ? parsed.data : undefined;
}

export async function writeRecord(home: HomePaths, name: ServiceName, record: ServiceRecord): Promise<void> {
  await writePrivateJson(recordFile(home, name), record);
}

/** Whether the recorded process, and no other under its pid, runs. */
export const isRunning = (record: ServiceRecord | undefined): record is ServiceRecord =>
  record !== undefined && processIdentity(record.pid) === record.identity;

/** It was started and not stopped, yet it does not run. */
export const isMissing = (record: ServiceRecord | undefined): boolean =>
  record !== undefined && !record.stopped && processIdentity(record.pid) !== record.identity;
