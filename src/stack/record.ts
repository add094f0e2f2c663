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
  /** Ports that it listens on, by use (`grpc`, `ui`, `http`); reused at the next start if they are free. */
  ports: z.record(z.string(), z.number().int()),
  /** What it was started with (code version, server address, task queue); if that changes, it is restarted. */
  setup: z.string(),
  /** Of a worker: the task queue that it serves. */
  serves: z
    .object({
      /** Of the Temporal server. */
      address: z.string(),
      namespace: z.string(),
      taskQueue: z.string(),
      /** Whether it is the home's own server, whose port may change. */
      isEmbedded: z.boolean(),
    })
    .optional(),
  /** See network.ts. */
  network: z.string().optional(),
  /** Ended by `down`; the record is kept for its ports. */
  stopped: z.boolean().optional(),
});

/** State of one background process, as stored in `<stack>/<name>.json`. */
export type ServiceRecord = z.infer<typeof recordSchema>;

const recordFile = (home: HomePaths, name: ServiceName): string => path.join(home.stack, `${name}.json`);

export const logFile = (home: HomePaths, name: ServiceName): string => path.join(home.stack, `${name}.log`);

/** Returns the record, whether or not the process exists; `undefined` if there is none, or it can't be read. */
export async function readRecord(home: HomePaths, name: ServiceName): Promise<ServiceRecord | undefined> {
  const parsed = recordSchema.safeParse(await readJsonFile(recordFile(home, name)).catch(() => undefined));
  return parsed.success ? parsed.data : undefined;
}

export async function writeRecord(home: HomePaths, name: ServiceName, record: ServiceRecord): Promise<void> {
  await writePrivateJson(recordFile(home, name), record);
}

/** Whether the recorded process exists, and not another one under its pid. */
export const isRunning = (record: ServiceRecord | undefined): record is ServiceRecord =>
  record !== undefined && processIdentity(record.pid) === record.identity;

/** Whether the process has ended without being stopped. */
export const isMissing = (record: ServiceRecord | undefined): boolean =>
  record !== undefined && !record.stopped && processIdentity(record.pid) !== record.identity;
