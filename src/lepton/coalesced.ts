import { setTimeout as sleep } from 'node:timers/promises';
import type { Deployment, Job, LeptonClient } from './types';

/** Look-ups shared by all tasks that wait at the same time: one listing per interval serves all callers. */
export interface Lookups {
  /** `undefined` only when the listing and a single get both say so. */
  deployment(name: string, options?: LookupOptions): Promise<Deployment | undefined>;
  /** By the platform's id, or by name: then the newest of that name. `name`, beside an id: where else to look for it. */
  job(idOrName: string, name?: string): Promise<Job | undefined>;
  /** Living jobs of exactly that name, as the shared listing shows them. */
  jobsNamed(name: string, options?: LookupOptions): Promise<readonly Job[]>;
}

export interface LookupOptions {
  /** Only a listing that began after the call will do, for one who has just changed something. It is shared, too. */
  readonly isFresh?: boolean;
}

/** How long one listing serves all callers, milliseconds. */
export const sharedForMs = { local: 500, lepton: 5_000 } as const;

/**
 * Look-ups over one client. A listing that failed is shared like any other: a platform in trouble is not asked once per
 * task. A job that is no longer alive is read from the archive by a single get.
 */
export function createLookups(client: LeptonClient, options: { readonly sharedForMs: number }): Lookups {
  const deployments = shared(options.sharedForMs, async () => {
    const listed = await client.listDeployments();
    return new Map(listed.map((deployment) => [deployment.metadata.name, deployment]));
  });
  const jobs = shared(options.sharedForMs, async () => {
    const listed = await livingJobs(client);
    const byId = new Map(listed.map((job) => [job.metadata.id, job]));
    return { listed, byId, newestByName: newestByName(listed) };
  });

  return {
    async deployment(name, { isFresh } = {}) {
      return (await deployments(isFresh)).get(name) ?? (await client.getDeployment(name, { isUnlisted: isFresh }));
    },
    async job(idOrName, name) {
      const { byId, newestByName: named } = await jobs();
      return byId.get(idOrName) ?? named.get(idOrName) ?? (await findJob(client, idOrName, name));
    },
    async jobsNamed(name, { isFresh } = {}) {
      return (await jobs(isFresh)).listed.filter(({ metadata }) => metadata.name === name);
    },
  };
}

/**
 * Calls `read` once per interval, for whoever comes first, also when it fails, and never twice at the same time. A fresh reading
 * begins as soon as the current one has ended, but not more often than four times per interval.
 */
function shared<T>(intervalMs: number, read: () => Promise<T>): (isFresh?: boolean) => Promise<T> {
  let current: { readonly at: number; readonly value: Promise<T>; isUnderWay: boolean } | undefined;
  let next: Promise<T> | undefined;
  const begin = (): Promise<T> => {
    const reading = { at: performance.now(), value: read(), isUnderWay: true };
    current = reading;
    const ended = (): void => void (reading.isUnderWay = false);
    reading.value.then(ended, ended);
    return reading.value;
  };
  const afterCurrent = async (): Promise<T> => {
    await current?.value.catch(() => undefined);
    const restMs = (current?.at ?? -Infinity) + intervalMs / 4 - performance.now();
    if (restMs > 0) await sleep(restMs);
    next = undefined;
    return begin();
  };
  return (isFresh = false) => {
    if (isFresh) return (next ??= afterCurrent());
    const isCurrent = current && (current.isUnderWay || performance.now() - current.at < intervalMs);
    return isCurrent && current ? current.value : begin();
  };
}

/** Whatever a server's limit of a page is, it is a round number. */
const mayBeFull = (entries: number): boolean => entries % 10 === 0 || entries % 16 === 0;

/**
 * All living jobs. The empty page after the last one is asked for only where the last one may be full. A job that is missed for
 * it is found by a get of its own.
 */
async function livingJobs(client: LeptonClient): Promise<Job[]> {
  const all: Job[] = [];
  for await (const page of client.jobPages({ mode: 'alive_only' })) {
    all.push(...page);
    if (!mayBeFull(page.length)) break;
  }
  return all;
}

/** Grants a question at most `most` times per interval, whoever asks. Milliseconds. */
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

function newestByName(jobs: readonly Job[]): Map<string | undefined, Job> {
  const oldestFirst = [...jobs].sort((a, b) => (a.metadata.created_at ?? 0) - (b.metadata.created_at ?? 0));
  return new Map(oldestFirst.map((job) => [job.metadata.name, job]));
}
