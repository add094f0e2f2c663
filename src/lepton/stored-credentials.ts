/**
 * Passes a workspace's credentials from the launcher, which has the user's environment, to the background worker, which has
 * not: in a private file per workspace and address. Plans contain only a reference.
 */
import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { PlatformRef } from '../contract/plan';
import type { PlatformAccess } from './types';
import type { HomePaths } from '../home/paths';
import { readJsonFile, writePrivateJson } from '../support/atomic-file';

const accessSchema = z.object({
  url: z.string().min(1),
  workspace: z.string().min(1),
  token: z.string(),
  origin: z.string().optional(),
  source: z.string().optional(),
});

type LeptonRef = Extract<PlatformRef, { kind: 'lepton' }>;

/** Returns `<credentials>/<workspace>-<hash of the URL>.json`, so that two addresses of one workspace never share a token. */
export function credentialsFile(home: HomePaths, ref: Pick<LeptonRef, 'workspace' | 'url'>): string {
  const digest = createHash('sha256').update(ref.url).digest('hex').slice(0, 12);
  const name = ref.workspace.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, 64);
  return path.join(home.credentials, `${name}-${digest}.json`);
}

/** Stores (or renews) a workspace's credentials for the worker of this home; mode 0600. */
export async function storeCredentials(home: HomePaths, access: PlatformAccess): Promise<void> {
  await writePrivateJson(credentialsFile(home, access), access);
}

/** Returns the tokens of all platforms that this home has access to, for masking; a file that can't be read is left out. */
export async function storedTokens(home: HomePaths): Promise<readonly string[]> {
  const names = await readdir(home.credentials).catch(() => []);
  const files = [home.platformAccess, ...names.map((name) => path.join(home.credentials, name))];
  const read = await Promise.all(files.map((file) => readJsonFile(file).catch(() => undefined)));
  return read.flatMap((access) => accessSchema.safeParse(access).data?.token ?? []);
}

/** Returns access to the platform that a plan names; `undefined` if this home has none. */
export async function loadPlatformAccess(home: HomePaths, ref: PlatformRef): Promise<PlatformAccess | undefined> {
  const file = ref.kind === 'local' ? home.platformAccess : credentialsFile(home, ref);
  const parsed = accessSchema.safeParse(await readJsonFile(file));
  return parsed.success ? parsed.data : undefined;
}
