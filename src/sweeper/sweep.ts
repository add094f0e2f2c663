import type { Client } from '@temporalio/client';
import type { PlatformRef } from '../contract/plan';
import type { LeftResource } from '../contract/state';
import type { HomePaths } from '../home/paths';
import type { LeptonClient } from '../lepton/types';
import { findMarked, removeMarked } from './marked';
import { findOrphanStorage, removeOrphanStorage } from './orphan-storage';
import { isOrphan, type SweepRule } from './orphans';
import { ownerOf } from './owners';

/** Seconds for which a resource without a living owner is left alone: twice the longest a create can be under way. */
export const defaultGraceSeconds = 180;
/** Milliseconds that one deletion may take before it counts as failed; the next sweep tries again. */
const removalTimeoutMs = 120_000;

export interface SweepRequest {
  readonly temporal: Client;
  readonly platform: LeptonClient;
  /** The same platform as runs name it: their storage is found in what this host knows of them. */
  readonly ref: PlatformRef;
  readonly home: Pick<HomePaths, 'runs'>;
  readonly origin: string;
  readonly graceSeconds: number;
  /** Values of a run that must not come home in the clear. */
  readonly secretsOf: (invocation: string) => Promise<readonly string[]>;
  /** Finds and names, deletes nothing. */
  readonly dryRun: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** `name` of storage is its path. */
export type SweptResource = Pick<LeftResource, 'kind' | 'name'> & { readonly invocation: string };

export interface SweepReport {
  /** Orphans that are gone now (or, in a dry run, would be). */
  readonly removed: readonly SweptResource[];
  readonly failed: readonly (SweptResource & { readonly reason: string })[];
  /** Endpoints and jobs of runs that live, or too young to judge. */
  readonly spared: number;
}

interface Orphan extends SweptResource {
  readonly remove: () => Promise<void>;
}

/**
 * Removes what outlived its task: endpoints and jobs first, then storage, whose content is brought home before. Rejects,
 * having deleted nothing, when Temporal or the platform can't be asked.
 */
export async function sweep(request: SweepRequest): Promise<SweepReport> {
  const rule = { origin: request.origin, nowMs: Date.now(), graceMs: request.graceSeconds * 1000 };
  const { orphans, spared } = await markedOrphans(request, rule);
  const storage = await storageOrphans(request, rule);
  const removed: SweptResource[] = [];
  const failed: SweepReport['failed'][number][] = [];
  const removeOne = async ({ remove, ...resource }: Orphan): Promise<void> => {
    try {
      if (!request.dryRun) await remove();
      removed.push(resource);
    } catch (error) {
      failed.push({ ...resource, reason: (error as Error).message });
    }
  };
  await Promise.all(orphans.map(removeOne));
  for (const orphan of storage) await removeOne(orphan);
  return { removed, failed, spared };
}

async function markedOrphans(
  { platform, temporal, signal }: SweepRequest,
  rule: SweepRule,
): Promise<{ orphans: Orphan[]; spared: number }> {
  const marked = await findMarked(platform);
  const judged = await Promise.all(
    marked.map(async (resource) => ({ resource, orphan: isOrphan(resource, await ownerOf(temporal, resource), rule) })),
  );
  const orphans = judged
    .filter(({ orphan }) => orphan)
    .map(({ resource }) => {
      const { kind, name, invocation } = resource;
      const remove = () => removeMarked(platform, resource, { timeoutMs: removalTimeoutMs, signal });
      return { kind, name, invocation, remove };
    });
  return { orphans, spared: marked.length - orphans.length };
}

async function storageOrphans(request: SweepRequest, rule: SweepRule): Promise<Orphan[]> {
  const around = { ...request, rule };
  return (await findOrphanStorage(around)).map((found) => {
    const { invocation, storage } = found.run.plan;
    return { kind: 'storage', name: storage.path, invocation, remove: () => removeOrphanStorage(found, around) };
  });
}
