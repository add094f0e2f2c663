import { setTimeout as sleep } from 'node:timers/promises';
import { paceOf } from '../lepton/pace';
import { marksOf } from '../lepton/render-spec';
import { removalPollDelayMs } from '../lepton/retry-timing';
import type { CallOptions, Deployment, Job, LeptonClient } from '../lepton/types';
import { partWithSecrets, type WireSpec } from './spec-secrets';

/** An endpoint or job that carries evalsaga's marks. */
export interface MarkedResource {
  readonly kind: 'endpoint' | 'job';
  /** Identifies it in requests: an endpoint's name, a job's id. */
  readonly id: string;
  readonly name: string;
  readonly invocation: string;
  readonly index: number;
  readonly origin: string;
  /** Milliseconds since the epoch; 0 if the platform doesn't say. */
  readonly createdAt: number;
  /** The part of its spec that may hold secrets. */
  readonly spec: WireSpec;
}

/**
 * Lists all marked endpoints and jobs on the platform, of any run. Unmarked ones are the user's own and not listed. Holds one page
 * of the workspace's jobs at a time.
 */
export async function findMarked(client: LeptonClient, options: CallOptions = {}): Promise<MarkedResource[]> {
  const [endpoints, jobs] = await Promise.all([markedEndpoints(client, options), markedJobs(client, options)]);
  return [...endpoints, ...jobs];
}

/** The same, only endpoints. */
export const markedEndpoints = async (client: LeptonClient, options: CallOptions): Promise<MarkedResource[]> =>
  (await client.listDeployments(options)).flatMap((deployment) => markedEndpoint(deployment));

async function markedJobs(client: LeptonClient, options: CallOptions): Promise<MarkedResource[]> {
  const marked: MarkedResource[] = [];
  for await (const page of client.jobPages({ mode: 'alive_only' }, options))
    marked.push(...page.flatMap((job) => markedJob(job)));
  return marked;
}

function markedEndpoint({ metadata, spec }: Deployment): MarkedResource[] {
  const marks = marksOf(spec.envs);
  const name = metadata.name ?? metadata.id;
  if (!marks || name === undefined) return [];
  return [
    { kind: 'endpoint', id: name, name, createdAt: metadata.created_at ?? 0, spec: partWithSecrets(spec), ...marks },
  ];
}

function markedJob({ metadata, spec = {}, status }: Job): MarkedResource[] {
  const marks = marksOf(spec.envs);
  if (!marks || metadata.id === undefined || isDeleted(status)) return [];
  return [
    {
      kind: 'job',
      id: metadata.id,
      name: metadata.name ?? metadata.id,
      createdAt: metadata.created_at ?? 0,
      spec: partWithSecrets(spec),
      ...marks,
    },
  ];
}

/** Deletes a resource and waits until neither a get nor the listing returns it. Rejects if that takes longer than `timeoutMs`. */
export async function removeMarked(
  client: LeptonClient,
  resource: MarkedResource,
  options: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  const begunAt = Date.now();
  await remove(client, resource);
  while (await exists(client, resource)) {
    const elapsedMs = Date.now() - begunAt;
    if (elapsedMs > options.timeoutMs)
      throw new Error(`${resource.kind} ${resource.name} was deleted, but is still listed`);
    await sleep(removalPollDelayMs({ elapsedMs, platform: paceOf(client.access.url) }), undefined, {
      signal: options.signal,
    });
  }
}

async function remove(client: LeptonClient, resource: MarkedResource): Promise<void> {
  switch (resource.kind) {
    case 'endpoint':
      await client.deleteDeployment(resource.id);
      return;
    case 'job':
      await client.deleteJob(resource.id);
  }
}

async function exists(client: LeptonClient, resource: MarkedResource): Promise<boolean> {
  switch (resource.kind) {
    case 'endpoint':
      return (await client.getDeployment(resource.id)) !== undefined;
    case 'job': {
      const job = await client.getJob(resource.id, { mode: 'alive_only', name: resource.name });
      return job !== undefined && !isDeleted(job.status);
    }
  }
}

const isDeleted = (status: Job['status']): boolean => status?.state?.toLowerCase() === 'deleted';
