import { rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { readJsonFile, writePrivateJson } from '../../../support/atomic-file';

const recordSchema = z.object({
  /** Name of the unit's folder. */
  unit: z.string(),
  port: z.number().optional(),
  weights: z.string().optional(),
  servedModel: z.string().optional(),
});

/** What the next platform process needs to take over a deployment's server: a file in the deployment's folder. */
export type ServerRecord = z.infer<typeof recordSchema>;

const fileIn = (folder: string): string => path.join(folder, 'server.json');

/** Returns `undefined` if nothing was started, or if the file can't be read. */
export async function readServerRecord(folder: string): Promise<ServerRecord | undefined> {
  return recordSchema.safeParse(await readJsonFile(fileIn(folder)).catch(() => undefined)).data;
}

export function writeServerRecord(folder: string, record: ServerRecord): Promise<void> {
  return writePrivateJson(fileIn(folder), recordSchema.parse(record));
}

export function removeServerRecord(folder: string): Promise<void> {
  return rm(fileIn(folder), { force: true });
}
