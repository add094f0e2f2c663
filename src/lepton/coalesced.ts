import { setTimeout as sleep } from 'node:timers/promises';
import { createChangeWatch, type Listed } from './change-watch';
import type { Deployment, Job, LeptonClient } from './types';

/** Lookups shared by all tasks that wait at the same time: one listing per interval serves all callers. */
export interface Lookups {
  /** Returns `undefined` only if neither the listing nor a single get finds it. */
  deployment(name: string, options?: LookupOptions): Promise<Deployment | undefined>;
  /** Returns what the shared listing alone says. */
  listedDeployment(name: string, options?: LookupOptions): Promise<Deployment | undefined>;
  /** Finds a job by the platform's id, or the newest by name. With an id, `name` narrows the search if a get by id fails. */
  job(idOrName: string, name?: string): Promise<Job | undefined>;
  /** Returns the alive jobs of exactly that name in the shared listing. */
  jobsNamed(name: string, options?: LookupOptions): Promise<readonly Job[]>;
  /** Returns the names in a storage folder by a fresh listing, shared like the others; none if there is no such folder. */
  folder(fileSystem: string, path: string): Promise<readonly string[]>;
  /**
   * Calls `listener` when the state of a resource has changed, where the platform announces that. Returns the function that ends this.
   * `key`: a deployment's name, or a job's id.
   */
  onChange(kind: Listed, key: string, listener: () => void): () => void;
  /** How many times longer a wait may pause between its looks, since it is told of changes. 1: it is not. */
  patience(kind: Listed): number;
}

export interface LookupOptions {
  /** Uses only a listing that begins after the call, for callers that have just changed something. It is shared, too. */
  readonly isFresh?: boolean;
}

/** How long one listing serves all callers, milliseconds. */
export const sharedForMs = { local: 500, lepton: 5_000 } as const;
/** How many times longer where the platform announces changes. */
const longerWhileWatched = 20;
/** The same for the pauses of a wait: somewhat more than those between two looks at an endpoint whose job runs (`watchDelayMs`). */
const patienceWhileWatched = 3.5;

/**
 * Creates lookups over one client. A failed listing is shared like any other, so that a failing platform is not asked once per
 * task. A job that is no longer alive is read from the archive by a single get.
 */
export function createLookups(client: LeptonClient, options: { readonly sharedForMs: number }): Lookups {
  const timesOf = (kind?: Listed) => ({
    sharedForMs: () => options.sharedForMs * (kind && watch.isAlive(kind) ? longerWhileWatched : 1),
    freshPerMs: options.sharedForMs,
  });
  const deployments = shared(timesOf('deployments'), async () => {
    const listed = await client.listDeployments();
    return new Map(listed.map((deployment) => [deployment.metadata.name, deployment]));
  });
  const jobs = shared(timesOf('jobs'), async () => {
    const listed = await livingJobs(client);
    const byId = new Map(listed.map((job) => [job.metadata.id, job]));
    return { named: byNames(listed), byId, newestByName: newestByName(listed) };
  });
  const folders = new Map<string, () => Promise<readonly string[]>>();
  const watch = createChangeWatch({
    nextChange: (known, call) => client.nextChange(known, call),
    states: async (kind) => {
      const listed = kind === 'deployments' ? await deployments(true) : (await jobs(true)).byId;
      return new Map([...listed].map(([key, { status }]) => [key ?? '', JSON.stringify(status)]));
    },
  });

  return {
    async listedDeployment(name, { isFresh } = {}) {
      return (await deployments(isFresh)).get(name);
    },
    async deployment(name, { isFresh } = {}) {
      // What has just been created is in no older listing: one more, for all who miss something, before a get for each.
      const shown = (await deployments(isFresh)).get(name);
      const listed = shown ?? (isFresh ? undefined : (await deployments(true)).get(name));
      return listed ?? (await client.getDeployment(name, { isUnlisted: true }));
    },
    async job(idOrName, name) {
      const find = ({ byId, newestByName: named }: Awaited<ReturnType<typeof jobs>>) =>
        byId.get(idOrName) ?? named.get(idOrName);
      return find(await jobs()) ?? find(await jobs(true)) ?? (await findJob(client, idOrName, name));
    },
    async jobsNamed(name, { isFresh } = {}) {
      return (await jobs(isFresh)).named.get(name) ?? [];
    },
    folder(fileSystem, path) {
      const key = `${fileSystem}:${path}`;
      // Bounds memory: a forgotten folder is listed once more.
      if (folders.size > 1_000) folders.clear();
      const read = async () => ((await client.storage.list(fileSystem, path)) ?? []).map(({ name }) => name);
      const known = folders.get(key) ?? freshOnly(shared(timesOf(), read));
      folders.set(key, known);
      return known();
    },
    onChange: (kind, key, listener) => watch.subscribe(kind, key, listener),
    patience: (kind) => (watch.isAlive(kind) ? patienceWhileWatched : 1),
  };
}

/** Readings that may begin within one interval, at once if need be: what follows a change rarely comes alone. */
const readingsPerInterval = 4;

/** A fresh listing begins when several times as long has passed as the last one took: that of a thousand endpoints is megabytes. */
const restPerListing = 9;

/**
 * Returns the milliseconds from the beginning of one reading to that of a fresh one. At most two seconds more than usual, so that a
 * platform that answers slowly is not looked at too rarely. Pure.
 */
export const freshReadingAfterMs = (usualMs: number, tookMs: number): number =>
  Math.max(usualMs, Math.min(tookMs * (1 + restPerListing), usualMs + 2_000));

/**
 * Calls `read` once per interval, also if it fails, when the first caller asks, and never twice at the same time. A fresh
 * reading begins as soon as the current one has ended, unless that was slow (`freshReadingAfterMs`) or `readingsPerInterval` have begun
 * in the last `freshPerMs`.
 */
function shared<T>(
  { sharedForMs: intervalMs, freshPerMs }: { readonly sharedForMs: () => number; readonly freshPerMs: number },
  read: () => Promise<T>,
): (isFresh?: boolean) => Promise<T> {
  let current: { readonly at: number; readonly value: Promise<T>; isUnderWay: boolean; hasFailed: boolean } | undefined;
  let next: Promise<T> | undefined;
  let tookMs = 0;
  /** When the last readings began, the oldest first. */
  const begun: number[] = [];
  const begin = (): Promise<T> => {
    const reading = { at: performance.now(), value: read(), isUnderWay: true, hasFailed: false };
    current = reading;
    if (begun.push(reading.at) > readingsPerInterval) begun.shift();
    const ended = (): void => {
      reading.isUnderWay = false;
      tookMs = performance.now() - reading.at;
    };
    reading.value.then(ended, () => {
      reading.hasFailed = true;
      ended();
    });
    return reading.value;
  };
  const afterCurrent = async (): Promise<T> => {
    await current?.value.catch(() => undefined);
    const afterSlow = (current?.at ?? -Infinity) + freshReadingAfterMs(0, tookMs);
    const afterMany = begun.length < readingsPerInterval ? -Infinity : (begun[0] ?? 0) + freshPerMs;
    const restMs = Math.max(afterSlow, afterMany) - performance.now();
    if (restMs > 0) await sleep(restMs);
    next = undefined;
    return begin();
  };
  return (isFresh = false) => {
    if (isFresh) return (next ??= afterCurrent());
    if (!current) return begin();
    // Announced changes make up for rare readings, but nothing announces that a platform answers again.
    const servesMs = current.hasFailed ? freshPerMs : intervalMs();
    return current.isUnderWay || performance.now() - current.at < servesMs ? current.value : begin();
  };
}

const freshOnly =
  <T>(read: (isFresh: boolean) => Promise<T>) =>
  (): Promise<T> =>
    read(true);

/** Page size limits of servers are round numbers: multiples of 10 or 16. */
const mayBeFull = (entries: number): boolean => entries % 10 === 0 || entries % 16 === 0;

/**
 * Returns all alive jobs. After a page that can't be full, no further page is requested. A job missed for this reason is found
 * by a get of its own.
 */
async function livingJobs(client: LeptonClient): Promise<Job[]> {
  const all: Job[] = [];
  for await (const page of client.jobPages({ mode: 'alive_only' })) {
    all.push(...page);
    if (!mayBeFull(page.length)) break;
  }
  return all;
}

/** Returns a function that allows at most `most` requests per `perMs` milliseconds, for all callers together. */
export function createAllowance({ most, perMs }: { readonly most: number; readonly perMs: number }): () => boolean {
  let granted = 0;
  let since = -Infinity;
  return () => {
    const now = performance.now();
    if (now - since >= perMs) [since, granted] = [now, 0];
    if (granted >= most) return false;
    granted += 1;
    return true;
  };
}

async function findJob(client: LeptonClient, idOrName: string, name: string | undefined): Promise<Job | undefined> {
  const byId = await client.getJob(idOrName, { name });
  if (byId || name !== undefined) return byId;
  return newestByName(await client.listJobs({ name: idOrName })).get(idOrName);
}

function byNames(jobs: readonly Job[]): Map<string | undefined, Job[]> {
  const named = new Map<string | undefined, Job[]>();
  for (const job of jobs) {
    const same = named.get(job.metadata.name);
    if (same) same.push(job);
    else named.set(job.metadata.name, [job]);
  }
  return named;
}

function newestByName(jobs: readonly Job[]): Map<string | undefined, Job> {
  const oldestFirst = [...jobs].sort((a, b) => (a.metadata.created_at ?? 0) - (b.metadata.created_at ?? 0));
  return new Map(oldestFirst.map((job) => [job.metadata.name, job]));
}
