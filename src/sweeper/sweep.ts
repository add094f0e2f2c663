import type { Client } from '@temporalio/client';
import type { LeptonClient } from '../lepton/types';
import { findMarked, removeMarked, type MarkedResource } from './marked';
import { isOrphan } from './orphans';
import { ownerOf } from './owners';

/** Seconds for which a resource without a living owner is left alone: twice the longest a create can be under way. */
export const defaultGraceSeconds = 180;
/** Milliseconds that one deletion may take before it counts as failed; the next sweep tries again. */
const removalTimeoutMs = 120_000;

export interface SweepRequest {
  readonly temporal: Client;
  readonly platform: LeptonClient;
  readonly origin: string;
  readonly graceSeconds: number;
  /** Finds and names, deletes nothing. */
  readonly dryRun: boolean;
  readonly signal?: AbortSignal | undefined;
}

export interface SweepReport {
  /** Orphans that are gone now (or, in a dry run, would be). */
  readonly removed: readonly Pick<MarkedResource, 'kind' | 'name' | 'invocation'>[];
  readonly failed: readonly (Pick<MarkedResource, 'kind' | 'name' | 'invocation'> & { readonly reason: string })[];
  /** Resources of runs that live, or too young to judge. */
  readonly spared: number;
}

/** Removes what outlived its task. Rejects, having deleted nothing, when Temporal or the platform can't be asked. */
export async function sweep(request: SweepRequest): Promise<SweepReport> {
  const marked = await findMarked(request.platform);
  const rule = { origin: request.origin, nowMs: Date.now(), graceMs: request.graceSeconds * 1000 };
  const judged = await Promise.all(
    marked.map(async (resource) => ({
      resource,
      orphan: isOrphan(resource, await ownerOf(request.temporal, resource), rule),
    })),
  );
  const orphans = judged.filter(({ orphan }) => orphan).map(({ resource }) => resource);
  const removed: MarkedResource[] = [];
  const failed: SweepReport['failed'][number][] = [];
  await Promise.all(
    orphans.map(async (resource) => {
      try {
        if (!request.dryRun)
          await removeMarked(request.platform, resource, { timeoutMs: removalTimeoutMs, signal: request.signal });
        removed.push(resource);
      } catch (error) {
        failed.push({ ...named(resource), reason: (error as Error).message });
      }
    }),
  );
  return { removed: removed.map(named), failed, spared: marked.length - orphans.length };
}

const named = ({ kind, name, invocation }: MarkedResource): Pick<MarkedResource, 'kind' | 'name' | 'invocation'> => ({
  kind,
  name,
  invocation,
});
