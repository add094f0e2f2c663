import type { Client } from '@temporalio/client';
import type { PlatformRef } from '../contract/plan';
import type { LeftResource } from '../contract/state';
import { noteGone } from '../home/removed-resources';
import { mapConcurrently } from '../support/map-concurrently';
import type { TargetSurroundings } from '../results/store/target';
import type { HomePaths } from '../home/paths';
import type { LeptonClient } from '../lepton/types';
import { LearnedSecrets } from '../secrets/learned-secrets';
import { readablePlan } from '../home/run-store';
import { messageOf } from '../support/error-message';
import { findDistantStorage, removeDistantStorage } from './distant-storage';
import { keepLog, logPlaceOf, type KeptLog } from './keep-log';
import { findTokens, isOrphanToken, removeTokenOf } from './endpoint-tokens';
import { findMarked, removeMarked, type MarkedResource } from './marked';
import {
  findOrphanStorage,
  removeOrphanStorage,
  type StorageSurroundings,
  type StrandedStorage,
} from './orphan-storage';
import { isOrphan, type SweepRule } from './orphans';
import { ownersOf } from './owners';
import { secretsInSpec } from './spec-secrets';
import { kinshipOf } from '../temporal/origin';

/** Seconds for which a resource without an open owner is spared: twice the longest time a create request can be in flight. */
export const defaultGraceSeconds = 180;
/** Seconds for which a scheduled sweep spares resources marked with a replaced database, which may be restored. */
export const replacedGraceSeconds = 6 * 3600;
/** Milliseconds after which a deletion counts as failed; the next sweep tries again. */
const removalTimeoutMs = 120_000;
const judgedAtOnce = 20;
/** Concurrent deletions: a terminated run of a thousand tasks must not flood the platform. */
const removedAtOnce = 100;

export interface SweepRequest {
  readonly temporal: Client;
  readonly platform: LeptonClient;
  /** The same platform as plans name it: used to find the runs whose storage may be swept. */
  readonly ref: PlatformRef;
  readonly home: Pick<HomePaths, 'runs' | 'swept'>;
  readonly origin: string;
  readonly graceSeconds: number;
  /** The same for resources marked while this home's Temporal had another database. Default: `graceSeconds`. */
  readonly replacedGraceSeconds?: number | undefined;
  /**
   * Returns the time by Temporal's clock, milliseconds since the epoch. Default: this host's time, or a later time in Temporal's
   * answers.
   */
  readonly temporalNow?: (() => number) | undefined;
  /** Returns the values to mask in a run's files; without an invocation, those of all known runs, to mask in messages. */
  readonly secretsOf: (invocation: string | undefined) => Promise<readonly string[]>;
  /** This process's environment, to whose values runs of other homes may refer. Default: empty. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
  /** As in `RunStorageRequest`. */
  readonly target?: TargetSurroundings | undefined;
  /** Only reports what would be removed. */
  readonly dryRun: boolean;
  /** Ends the sweep with an error. */
  readonly signal?: AbortSignal | undefined;
  /** Ends the sweep with a report; the next sweep continues. */
  readonly outOfTime?: AbortSignal | undefined;
}

/** For storage, `name` is the path. */
export type SweptResource = Pick<LeftResource, 'kind' | 'name'> & { readonly invocation: string };

export interface SweepReport {
  /** Orphans that were removed (in a dry run: would be). */
  readonly removed: readonly (SweptResource & KeptLog)[];
  readonly failed: readonly (SweptResource & { readonly reason: string })[];
  /** Storage that this host can't clean up; absent if there is none. */
  readonly stranded?: readonly StrandedStorage[];
  /** Number of endpoints and jobs whose run is open, or that are too young to judge. */
  readonly spared: number;
  /** Set if time ran out before everything was checked; then nothing was removed. */
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
 * Removes resources that outlived their task: endpoints and jobs first, then storage, after fetching its content. All resources
 * are judged before the first is removed: rejects without removing anything if Temporal or the platform doesn't answer.
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
  const { orphans, storage, stranded, spared, rule } = found;
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
  for (const orphan of await lateStorage(request, { removed, storage, rule })) await removeOne(orphan);
  if (!request.dryRun) await remember(request.home, removed);
  return { removed, failed, spared, ...(stranded.length > 0 ? { stranded } : {}) };
}

/** Storage that did not exist when the sweep began, of jobs that it has removed: a job may write its results when it is stopped. */
async function lateStorage(
  request: Work,
  { removed, storage, rule }: Pick<SweepReport, 'removed'> & Pick<Found, 'storage' | 'rule'>,
): Promise<readonly Orphan[]> {
  const judged = new Set(storage.map(({ invocation }) => invocation));
  const jobs = removed.filter(({ kind, invocation }) => kind === 'job' && !judged.has(invocation));
  if (request.dryRun || jobs.length === 0) return [];
  const only = new Set(jobs.map(({ invocation }) => invocation));
  // The next sweep looks again.
  const found = await storageOrphans(request, { rule, only, withJobs: new Set() }).catch(() => undefined);
  return found?.orphans ?? [];
}

/** Records what was removed, so that `status` no longer shows it. */
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
  readonly rule: SweepRule;
}

async function judgeAll(request: Work): Promise<Found> {
  const { orphans, spared, rule, withJobs } = await markedOrphans(request);
  const distant = await distantStorage(request, rule);
  const own = await storageOrphans(request, { rule, withJobs });
  const storage = [...own.orphans, ...distant.orphans];
  return { orphans, spared, storage, rule, stranded: [...own.stranded, ...distant.stranded] };
}

/** Must be called after the platform has answered, so that its clock is known. `closedAt`: close times in Temporal's answers. */
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

interface MarkedOrphans extends Pick<Found, 'orphans' | 'spared' | 'rule'> {
  /** Runs that have jobs, orphans or not. */
  readonly withJobs: ReadonlySet<string>;
}

async function markedOrphans(request: Work): Promise<MarkedOrphans> {
  const { platform, temporal, signal, origin, learned } = request;
  const marked = await findMarked(platform, { signal });
  // Resources of other installations, of which there can be thousands, can't be judged here.
  const ours = marked.filter((resource) => kinshipOf(resource.origin, origin) !== 'foreign');
  for (const { spec } of ours) learned.add(secretsInSpec(spec, undefined));
  const owners = ownersOf(temporal);
  const known = await mapConcurrently(ours, judgedAtOnce, async (resource) => {
    signal?.throwIfAborted();
    return { resource, owner: await owners.of(resource.invocation, [resource.index]) };
  });
  const tokens = await mapConcurrently(await findTokens(platform, { signal }), judgedAtOnce, async (token) => {
    signal?.throwIfAborted();
    return { token, owner: await owners.of(token.invocation, token.index === undefined ? [] : [token.index]) };
  });
  const closedAt = [...known, ...tokens].flatMap(({ owner }) => (owner.kind === 'closed' ? [owner.closedAt] : []));
  const rule = ruleOf(request, closedAt);
  const orphans = known
    .filter(({ resource, owner }) => isOrphan(resource, owner, rule))
    .map(({ resource }) => {
      const { kind, name, invocation } = resource;
      return { kind, name, invocation, remove: () => removeOrphan(resource, request) };
    });
  const endpoints = new Set(marked.map(({ name }) => name));
  const orphanTokens = tokens
    .filter(({ token, owner }) => isOrphanToken(token, owner, { endpoints, rule }))
    .map(({ token: { kind, name, invocation } }) => {
      const remove = async (): Promise<KeptLog> => {
        await platform.deleteSecret(name);
        return {};
      };
      return { kind, name, invocation, remove };
    });
  const withJobs = new Set(ours.flatMap(({ kind, invocation }) => (kind === 'job' ? [invocation] : [])));
  return { orphans: [...orphans, ...orphanTokens], spared: marked.length - orphans.length, rule, withJobs };
}

/** Saves the log before the deletion, since no workflow is left to do so. */
async function removeOrphan(
  resource: MarkedResource,
  { platform, home, secretsOf, signal, learned }: Work,
): Promise<KeptLog> {
  const { invocation } = resource;
  const plan = await readablePlan(home, invocation);
  const place = logPlaceOf(resource, { plan, home });
  const { logLost, ...kept } = await secretsOf(invocation).then(
    (secrets) => keepLog(resource, { platform, place, plan, secrets, signal }),
    // An endpoint must not stay up only because its log can't be masked.
    (error: unknown): KeptLog => ({ logLost: messageOf(error) }),
  );
  await removeMarked(platform, resource, { timeoutMs: removalTimeoutMs, signal });
  await removeTokenOf(platform, resource);
  return { ...kept, ...(logLost === undefined ? {} : { logLost: learned.mask(logLost) }) };
}

interface FoundStorage {
  readonly orphans: readonly Orphan[];
  readonly stranded: readonly StrandedStorage[];
}

async function storageOrphans(
  request: Work,
  choice: Pick<StorageSurroundings, 'rule' | 'only' | 'withJobs'>,
): Promise<FoundStorage> {
  const around = { ...request, ...choice };
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
