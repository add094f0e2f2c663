import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { z } from 'zod';
import { readJsonFile, writePrivateJson } from '../support/atomic-file';

const schema = z.object({ url: z.string(), workspace: z.string(), token: z.string().min(1) });

/** `access.json`: how to reach a local platform. */
export type Access = z.infer<typeof schema>;

const accessFile = (stateFolder: string): string => path.join(stateFolder, 'access.json');

/** Reads what the last start wrote; `undefined` if the file is missing or unreadable. */
export async function readAccess(stateFolder: string): Promise<Access | undefined> {
  const parsed = schema.safeParse(await readJsonFile(accessFile(stateFolder)).catch(() => undefined));
  return parsed.success ? parsed.data : undefined;
}

export const writeAccess = (stateFolder: string, access: Access): Promise<void> =>
  writePrivateJson(accessFile(stateFolder), access);

export const newToken = (): string => randomBytes(32).toString('base64url');

export function portOf(access: Access | undefined): number | undefined {
  const port = access === undefined || !URL.canParse(access.url) ? '' : new URL(access.url).port;
  return port === '' ? undefined : Number(port);
}
