import type { Deployment, Job, LeptonClient } from './types';

/** Look-ups shared by all tasks that wait at the same time: many callers, one listing per interval. */
export interface Lookups {
  /** `undefined` only when the listing and a single get both say so. */
  deployment(name: string): Promise<Deployment | undefined>;
  /** By the platform's id, or by name: then the newest of that name. `name`, beside an id: where else to look for it. */
  job(idOrName: string, name?: string): Promise<Job | undefined>;
  /** Living jobs of exactly that name, as the shared listing shows them. */
  jobsNamed(name: string): Promise<readonly Job[]>;
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
    const listed = await client.listJobs({ mode: 'alive_only' });
    const byId = new Map(listed.map((job) => [job.metadata.id, job]));
    return { listed, byId, newestByName: newestByName(listed) };
  });

  return {
    async deployment(name) {
      return (await deployments()).get(name) ?? (await client.getDeployment(name));
    },
    async job(idOrName, name) {
      const { byId, newestByName: named } = await jobs();
      return byId.get(idOrName) ?? named.get(idOrName) ?? (await findJob(client, idOrName, name));
    },
    async jobsNamed(name) {
      return (await jobs()).listed.filter(({ metadata }) => metadata.name === name);
    },
  };
}

/** One call of `read` per interval, begun by whoever comes first; also when it fails. */
function shared<T>(intervalMs: number, read: () => Promise<T>): () => Promise<T> {
  let current: { readonly at: number; readonly value: Promise<T> } | undefined;
  return () => {
    const now = performance.now();
    if (current === undefined || now - current.at >= intervalMs) current = { at: now, value: read() };
    return current.value;
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
