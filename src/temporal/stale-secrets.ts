import type { Client } from '@temporalio/client';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { HomePaths } from '../home/paths';
import { forgetSecrets, storedPlan } from '../home/run-store';
import { ownerAmong } from '../sweeper/owners';

/**
 * A run's last activity removes the values of its host variables. One that was terminated has no last activity: its file is
 * found here, when neither the run nor any of its tasks lives any more.
 */

/** Milliseconds after which a file goes although this Temporal server does not know its run: another one may. */
const unknownForMs = 30 * 86_400_000;

/** Removes secrets that no run needs any more; the invocations they were of. Rejects when Temporal can't be asked. */
export async function forgetStaleSecrets(client: Client, home: HomePaths): Promise<string[]> {
  const names = await readdir(home.secrets).catch(() => []);
  const forgotten: string[] = [];
  for (const name of names) {
    const invocation = /^([0-9a-f]{16})\.json$/.exec(name)?.[1];
    if (invocation === undefined || !(await isStale(client, home, invocation))) continue;
    await forgetSecrets(home, invocation);
    forgotten.push(invocation);
  }
  return forgotten;
}

async function isStale(client: Client, home: HomePaths, invocation: string): Promise<boolean> {
  const tasks = (await storedPlan(home, invocation))?.tasks ?? [{ index: 0 }];
  const indices = tasks.map(({ index }) => index);
  const { kind } = await ownerAmong(client, invocation, indices);
  if (kind !== 'unknown') return kind === 'closed';
  const { mtimeMs } = await stat(path.join(home.secrets, `${invocation}.json`));
  return Date.now() - mtimeMs > unknownForMs;
}
