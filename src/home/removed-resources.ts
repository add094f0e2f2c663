import { stat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { LeftResource } from '../contract/state';
import type { HomePaths } from './paths';
import { readJsonFile, writePrivateJson } from '../support/atomic-file';
import { LockedElsewhere, withLock } from '../support/lock';

/** A resource of a run of this host that `cleanup` or a sweep removed, or found removed, after the run's end. */
export interface GoneResource extends Pick<LeftResource, 'kind' | 'name'> {
  /** When that was verified, ISO 8601. */
  readonly at: string;
}

const schema = z.array(
  z.object({ kind: z.enum(['endpoint', 'job', 'storage', 'secret']), name: z.string(), at: z.string() }),
);

const fileOf = (home: Pick<HomePaths, 'runs'>, invocation: string): string =>
  path.join(home.runs, invocation, 'gone.json');

/** Returns them in the order in which they were noted; none for a run that was not started on this host. */
export async function goneResources(home: Pick<HomePaths, 'runs'>, invocation: string): Promise<GoneResource[]> {
  const parsed = schema.safeParse(await readJsonFile(fileOf(home, invocation)).catch(() => undefined));
  return parsed.success ? parsed.data : [];
}

/**
 * Adds resources; those noted before keep their time. A cleanup and a sweep may do so at the same moment. Does nothing for a run that was
 * not started on this host.
 */
export async function noteGone(
  home: Pick<HomePaths, 'runs'>,
  invocation: string,
  resources: readonly Removed[],
): Promise<void> {
  const file = fileOf(home, invocation);
  const add = (): Promise<void> => addTo(file, { known: () => goneResources(home, invocation), resources });
  if (resources.length === 0 || !(await stat(path.dirname(file)).catch(() => undefined))) return;
  await withLock({ file: `${file}.lock`, elsewhereMs: othersMs }, add).catch(async (error: unknown) => {
    // Its holder may be gone with its container. What was removed is noted all the same: it costs nothing any more.
    if (!(error instanceof LockedElsewhere)) throw error;
    await add();
  });
}

type Removed = Pick<LeftResource, 'kind' | 'name'>;

/** Milliseconds to wait for a process on another machine; one holds the lock for a moment. */
const othersMs = 10_000;

async function addTo(
  file: string,
  { known, resources }: { readonly known: () => Promise<GoneResource[]>; readonly resources: readonly Removed[] },
): Promise<void> {
  const before = await known();
  const noted = new Set(before.map(keyOf));
  const at = new Date().toISOString();
  const fresh = resources.filter((resource) => !noted.has(keyOf(resource)));
  if (fresh.length > 0)
    await writePrivateJson(file, [...before, ...fresh.map(({ kind, name }) => ({ kind, name, at }))]);
}

const keyOf = ({ kind, name }: Removed): string => `${kind} ${name}`;
