import type { Client } from '@temporalio/client';
import type { PlatformRef } from '../contract/plan';
import type { LeftResource } from '../contract/state';
import { noteGone } from '../home/gone';
import { inLanes } from '../home/lanes';
import type { HomePaths } from '../home/paths';
import type { LeptonClient } from '../lepton/types';
import { findMarked, removeMarked } from './marked';
import { findOrphanStorage, removeOrphanStorage } from './orphan-storage';
import { isOrphan, type SweepRule } from './orphans';
import { ownersOf } from './owners';

/** Seconds for which a resource without a living owner is left alone: twice the longest a create can be under way. */
export const defaultGraceSeconds = 180;
/** Milliseconds that one deletion may take before it counts as failed; the next sweep tries again. */
const removalTimeoutMs = 120_000;
const judgedAtOnce = 20;
/** Deletions at once: a run of a thousand tasks that was terminated must not flood the platform. */
const removedAtOnce = 100;

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
  /** Ends it with an error. */
  readonly signal?: AbortSignal | undefined;
  /** Ends it with a report: what was not reached is the next sweep's. */
  readonly outOfTime?: AbortSignal | undefined;
}

/** `name` of storage is its path. */
export type SweptResource = Pick<LeftResource, 'kind' | 'name'> & { readonly invocation: string };

export interface SweepReport {
  /** Orphans that are gone now (or, in a dry run, would be). */
  readonly removed: readonly SweptResource[];
  readonly failed: readonly (SweptResource & { readonly reason: string })[];
  /** Endpoints and jobs of runs that live, or too young to judge. */
  readonly spared: number;
  /** Only when time was up before all had been looked at; then nothing was removed. */
  readonly unfinished?: string;
}

interface Orphan extends SweptResource {
  readonly remove: () => Promise<void>;
}

/**
 * Removes what outlived its task: endpoints and jobs first, then storage, whose content is brought home before. Rejects,
 * having deleted nothing, when Temporal or the platform can't be asked: all is judged before anything goes.
 */
export async function sweep(asked: SweepRequest): Promise<SweepReport> {
  const { outOfTime } = asked;
  const request = { ...asked, signal: eitherOf(asked.signal, outOfTime) };
  let found: Found;
  try {
    found = await judgeAll(request);
  } catch (error) {
    asked.signal?.throwIfAborted();
    if (!outOfTime?.aborted) throw error;
    return { removed: [], failed: [], spared: 0, unfinished: notAllSeen };
  }
  const { orphans, storage, spared } = found;
  const removed: SweptResource[] = [];
  const failed: SweepReport['failed'][number][] = [];
  const removeOne = async ({ remove, ...resource }: Orphan): Promise<void> => {
    try {
      request.signal?.throwIfAborted();
      if (!request.dryRun) await remove();
      removed.push(resource);
    } catch (error) {
      asked.signal?.throwIfAborted();
      failed.push({ ...resource, reason: outOfTime?.aborted ? notReached : (error as Error).message });
    }
  };
  await inLanes(orphans, removedAtOnce, removeOne);
  for (const orphan of storage) await removeOne(orphan);
  if (!request.dryRun) await remember(request.home, removed);
  return { removed, failed, spared };
}

/** So that what is said of a run no longer counts what is gone. */
async function remember(home: SweepRequest['home'], removed: readonly SweptResource[]): Promise<void> {
  for (const invocation of new Set(removed.map((resource) => resource.invocation)))
    await noteGone(
      home,
      invocation,
      removed.filter((resource) => resource.invocation === invocation),
    );
}

const notReached = 'this sweep had no time left for it; the next one goes on';
const notAllSeen = 'there was no time to look at everything, so nothing was removed; the next sweep begins anew';

interface Found {
  readonly orphans: readonly Orphan[];
  readonly storage: readonly Orphan[];
  readonly spared: number;
}

async function judgeAll(request: SweepRequest): Promise<Found> {
  const rule = { origin: request.origin, nowMs: Date.now(), graceMs: request.graceSeconds * 1000 };
  const { orphans, spared } = await markedOrphans(request, rule);
  return { orphans, spared, storage: await storageOrphans(request, rule) };
}

function eitherOf(...signals: readonly (AbortSignal | undefined)[]): AbortSignal | undefined {
  const given = signals.filter((signal) => signal !== undefined);
  return given.length === 0 ? undefined : AbortSignal.any(given);
}

async function markedOrphans(
  { platform, temporal, signal }: SweepRequest,
  rule: SweepRule,
): Promise<{ orphans: Orphan[]; spared: number }> {
  const marked = await findMarked(platform, { signal });
  // Of another installation's this one knows nothing: there can be thousands, and nobody is asked about them.
  const ours = marked.filter(({ origin }) => origin === rule.origin);
  const owners = ownersOf(temporal);
  const judged = await inLanes(ours, judgedAtOnce, async (resource) => {
    signal?.throwIfAborted();
    return { resource, orphan: isOrphan(resource, await owners.of(resource.invocation, [resource.index]), rule) };
  });
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
