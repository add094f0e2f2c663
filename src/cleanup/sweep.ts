import type { Client } from '@temporalio/client';
import type { PlatformRef } from '../contract/plan';
import type { LeftResource } from '../contract/state';
import { noteGone } from '../home/removed-resources';
import { mapConcurrently } from '../support/map-concurrently';
import type { HomePaths } from '../home/paths';
import type { LeptonClient } from '../lepton/types';
import { LearnedSecrets } from '../secrets/learned-secrets';
import { readablePlan } from '../home/run-store';
import { messageOf } from '../support/error-message';
import { findDistantStorage, removeDistantStorage } from './distant-storage';
import { keepLog, logPlaceOf, type KeptLog } from './keep-log';
import { findMarked, removeMarked, type MarkedResource } from './marked';
import { findOrphanStorage, removeOrphanStorage, type StrandedStorage } from './orphan-storage';
import { isOrphan, type SweepRule } from './orphans';
import { ownersOf } from './owners';
import { secretsInSpec } from './spec-secrets';
import { kinshipOf } from '../temporal/origin';

/** Seconds for which a resource without a living owner is left alone: twice the longest a create can be under way. */
export const defaultGraceSeconds = 180;
/** Seconds that a scheduled sweep leaves what is marked with a replaced database: somebody may put the old one back. */
export const replacedGraceSeconds = 6 * 3600;
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
  readonly home: Pick<HomePaths, 'runs' | 'swept'>;
  readonly origin: string;
  readonly graceSeconds: number;
  /** The same for what this home marked when its Temporal had another database. Default: as `graceSeconds`. */
  readonly replacedGraceSeconds?: number | undefined;
  /** Now by Temporal's clock, milliseconds since the epoch. Default: this host's, or later where Temporal told later times. */
  readonly temporalNow?: (() => number) | undefined;
  /** Values of a run that must not come home in the clear; of all runs that this host knows, to be masked in messages. */
  readonly secretsOf: (invocation: string | undefined) => Promise<readonly string[]>;
  /** Variables of this process, whose values runs of other homes may refer to. Default: none. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
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
  readonly removed: readonly (SweptResource & KeptLog)[];
  readonly failed: readonly (SweptResource & { readonly reason: string })[];
  /** Storage of terminated runs whose results can't go home from here; absent: there is none. */
  readonly stranded?: readonly StrandedStorage[];
  /** Endpoints and jobs of runs that live, or too young to judge. */
  readonly spared: number;
  /** Only when time was up before all had been looked at; then nothing was removed. */
  readonly unfinished?: string;
}

interface Work extends SweepRequest {
  /** Masked in the report and in errors. */
  readonly learned: LearnedSecrets;
}

interface Orphan extends SweptResource {
  readonly remove: () => Promise<KeptLog>;
}

/**
 * Removes what outlived its task: endpoints and jobs first, then storage, whose content is brought home before. Rejects,
 * having deleted nothing, when Temporal or the platform can't be asked: all is judged before anything goes.
 */
export async function sweep(asked: SweepRequest): Promise<SweepReport> {
  const learned = new LearnedSecrets(await asked.secretsOf(undefined));
  return learned.maskingErrors(() => sweepMasked({ ...asked, learned }));
}

async function sweepMasked(asked: Work): Promise<SweepReport> {
  const { outOfTime, learned } = asked;
  const request = { ...asked, signal: eitherOf(asked.signal, outOfTime) };
  let found: Found;
  try {
    found = await judgeAll(request);
  } catch (error) {
    asked.signal?.throwIfAborted();
    if (!outOfTime?.aborted) throw error;
    return { removed: [], failed: [], spared: 0, unfinished: notAllSeen };
  }
  const { orphans, storage, stranded, spared } = found;
  const removed: SweepReport['removed'][number][] = [];
  const failed: SweepReport['failed'][number][] = [];
  const removeOne = async ({ remove, ...resource }: Orphan): Promise<void> => {
    try {
      request.signal?.throwIfAborted();
      removed.push({ ...resource, ...(request.dryRun ? {} : await remove()) });
    } catch (error) {
      asked.signal?.throwIfAborted();
      const reason = outOfTime?.aborted ? notReached : learned.mask((error as Error).message);
      failed.push({ ...resource, reason });
    }
  };
  await mapConcurrently(orphans, removedAtOnce, removeOne);
  for (const orphan of storage) await removeOne(orphan);
  if (!request.dryRun) await remember(request.home, removed);
  return { removed, failed, spared, ...(stranded.length > 0 ? { stranded } : {}) };
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
  readonly stranded: readonly StrandedStorage[];
  readonly spared: number;
}

async function judgeAll(request: Work): Promise<Found> {
  const { orphans, spared, rule } = await markedOrphans(request);
  const distant = await distantStorage(request, rule);
  const own = await storageOrphans(request, rule);
  const storage = [...own.orphans, ...distant.orphans];
  return { orphans, spared, storage, stranded: [...own.stranded, ...distant.stranded] };
}

/** To be called when the platform has answered, so that its clock is known. `closedAt`: what Temporal told of its own. */
function ruleOf(request: SweepRequest, closedAt: readonly number[]): SweepRule {
  const { origin, platform, graceSeconds, replacedGraceSeconds = graceSeconds } = request;
  const host = Date.now();
  const temporal = request.temporalNow?.() ?? closedAt.reduce((latest, at) => Math.max(latest, at), host);
  return {
    origin,
    now: { host, temporal, platform: platform.clock.now() },
    graceMs: graceSeconds * 1000,
    replacedGraceMs: replacedGraceSeconds * 1000,
  };
}

function eitherOf(...signals: readonly (AbortSignal | undefined)[]): AbortSignal | undefined {
  const given = signals.filter((signal) => signal !== undefined);
  return given.length === 0 ? undefined : AbortSignal.any(given);
}

async function markedOrphans(request: Work): Promise<{ orphans: Orphan[]; spared: number; rule: SweepRule }> {
  const { platform, temporal, signal, origin, learned } = request;
  const marked = await findMarked(platform, { signal });
  // Of another installation's this one knows nothing: there can be thousands, and nobody is asked about them.
  const ours = marked.filter((resource) => kinshipOf(resource.origin, origin) !== 'foreign');
  for (const { spec } of ours) learned.add(secretsInSpec(spec, undefined));
  const owners = ownersOf(temporal);
  const known = await mapConcurrently(ours, judgedAtOnce, async (resource) => {
    signal?.throwIfAborted();
    return { resource, owner: await owners.of(resource.invocation, [resource.index]) };
  });
  const closedAt = known.flatMap(({ owner }) => (owner.kind === 'closed' ? [owner.closedAt] : []));
  const rule = ruleOf(request, closedAt);
  const orphans = known
    .filter(({ resource, owner }) => isOrphan(resource, owner, rule))
    .map(({ resource }) => {
      const { kind, name, invocation } = resource;
      return { kind, name, invocation, remove: () => removeOrphan(resource, request) };
    });
  return { orphans, spared: marked.length - orphans.length, rule };
}

/** Its log goes first: nobody else is left to save it. */
async function removeOrphan(
  resource: MarkedResource,
  { platform, home, secretsOf, signal, learned }: Work,
): Promise<KeptLog> {
  const { invocation } = resource;
  const plan = await readablePlan(home, invocation);
  const place = logPlaceOf(resource, { plan, home });
  const { logLost, ...kept } = await secretsOf(invocation).then(
    (secrets) => keepLog(resource, { platform, place, plan, secrets, signal }),
    // An endpoint doesn't stay up because its log can't be masked.
    (error: unknown): KeptLog => ({ logLost: messageOf(error) }),
  );
  await removeMarked(platform, resource, { timeoutMs: removalTimeoutMs, signal });
  return { ...kept, ...(logLost === undefined ? {} : { logLost: learned.mask(logLost) }) };
}

interface FoundStorage {
  readonly orphans: readonly Orphan[];
  readonly stranded: readonly StrandedStorage[];
}

async function storageOrphans(request: Work, rule: SweepRule): Promise<FoundStorage> {
  const around = { ...request, rule };
  const { orphans, stranded } = await findOrphanStorage(around);
  const withRemoval = orphans.map((found): Orphan => {
    const { invocation, storage } = found.run.plan;
    const remove = async (): Promise<KeptLog> => {
      await removeOrphanStorage(found, around);
      return {};
    };
    return { kind: 'storage', name: storage.path, invocation, remove };
  });
  return { orphans: withRemoval, stranded };
}

async function distantStorage(request: Work, rule: SweepRule): Promise<FoundStorage> {
  const around = { ...request, rule, environment: request.environment ?? {} };
  const found = await findDistantStorage(around);
  return {
    orphans: found.flatMap((one) => {
      if (one.kind !== 'orphan') return [];
      const remove = async (): Promise<KeptLog> => {
        await removeDistantStorage(one, around);
        return {};
      };
      return [{ kind: 'storage', name: one.plan.storage.path, invocation: one.plan.invocation, remove }];
    }),
    stranded: found.flatMap((one) => (one.kind === 'stranded' ? [one.storage] : [])),
  };
}
