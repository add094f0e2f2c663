import { setTimeout as delay } from 'node:timers/promises';
import type { JobSpec } from '../../contract/plan';
import { LeptonError } from '../../lepton/lepton-error';
import type { Job, LeptonClient } from '../../lepton/types';
import { IncompleteCollection, receiveCollected } from './collected';
import {
  collectorJob,
  collectorJobName,
  maxCollectedBytes,
  storageRemovalJob,
  type CollectorRequest,
  type RemovalRequest,
} from './collector';
import { parseCollectorLine } from './collector-protocol';
import type { FetchedFolder, FetchProgress } from './fetch';
import type { Journal } from './journal';
import { NotHome, notHomeText } from './run-folder';

/** Fetches results and removes storage through jobs of our own, where a workspace has no storage API; deletes these jobs. */

export interface JobSurroundings {
  readonly client: LeptonClient;
  /** Turns a job's spec into wire form, with the marks that make it ours. */
  readonly render: (spec: JobSpec) => Record<string, unknown>;
  readonly readState: (job: Job | undefined) => {
    readonly kind: 'completed' | 'pending' | 'ending' | 'failed' | 'absent';
  };
  /** Name of the evaluation job; ours are named after it. */
  readonly jobName: string;
  /** Milliseconds between looks at the job. */
  readonly pollMs: number;
  readonly signal: AbortSignal;
  /** Called at every look and every piece. */
  readonly onProgress?: ((progress: FetchProgress) => void) | undefined;
}

/** One of our jobs ended without doing its work. */
export class HelperJobFailed extends Error {
  override readonly name = 'HelperJobFailed';
}

/** Jobs started one after another, each continuing where the last one broke off. */
const maxRounds = 3;
/** Readings of one job's log. */
const maxReadings = 3;

/**
 * Fetches a task's folder through a collector job's log, reading it while the job runs, since an ended log may have been rotated.
 * Safe to repeat: takes over the job of an interrupted call. Resolves to `undefined` if there is no such folder.
 * Rejects as `receiveCollected`, with `HelperJobFailed`, `LeptonError`, or the signal's reason.
 */
export async function collectThroughJob(
  request: CollectRequest,
  surroundings: JobSurroundings,
): Promise<FetchedFolder | undefined> {
  let from = 0;
  for (let round = 0; ; round += 1) {
    const name = collectorJobName(surroundings.jobName, 'collect', round);
    const outcome = await withJob(surroundings, { name, spec: collectorJob({ ...request, from }) }, async (id) => {
      await waitFor(surroundings, id, (job) => job?.status?.state?.toLowerCase() === 'running');
      return readLog(request, surroundings, id);
    });
    if (outcome.kind === 'read') return outcome.fetched;
    if (round + 1 === maxRounds) throw outcome.error;
    from = outcome.error.from;
  }
}

type CollectRequest = Omit<CollectorRequest, 'from'> & {
  readonly target: string;
  /** Masked in the local files. */
  readonly secrets: readonly string[];
  /** As in `FetchRequest`. */
  readonly openJournal?: ((target: string) => Promise<Journal>) | undefined;
};

/**
 * Removes a run's folder, or one task's in it, through a job; resolves when it is gone. Rejects as `collectThroughJob`, or with
 * `NotHome` when there is something that was not expected.
 */
export async function removeThroughJob(request: RemovalRequest, surroundings: JobSurroundings): Promise<void> {
  const name = collectorJobName(`${surroundings.jobName}/${request.folder ?? ''}`, 'remove', 0);
  await withJob(surroundings, { name, spec: storageRemovalJob(request) }, async (id) => {
    const job = await waitFor(surroundings, id, () => false);
    if (surroundings.readState(job).kind === 'completed') return;
    const found = await unexpectedIn(surroundings, id);
    if (!found) throw await jobFailed(surroundings, id, job);
    const { storage, folder } = request;
    throw new NotHome(
      notHomeText(folder === null ? storage.path : `${storage.path}/${folder}`, found.names, found.count),
    );
  });
}

/** Runs `work` with the job of that name, creating it unless an earlier call did; always deletes the job. */
async function withJob<T>(
  surroundings: JobSurroundings,
  { name, spec }: { readonly name: string; readonly spec: JobSpec },
  work: (id: string) => Promise<T>,
): Promise<T> {
  const { client, render, readState, signal } = surroundings;
  const listed = await client.listJobs({ name, mode: 'alive_only' }, { signal });
  // Names are not unique on the platform: a job of this name may have failed, or be in deletion.
  const earlier = listed.find((job) => job.metadata.name === name && isUsable(readState(job).kind));
  // Not abortable, so that a created job is always known, and deleted.
  const job = earlier ?? (await client.createJob({ name, spec: render(spec) }));
  const id = job.metadata.id ?? '';
  try {
    return await work(id);
  } finally {
    await discard(surroundings, { name, id });
  }
}

/** Time to wait for a deleted job to be gone, milliseconds. One that takes longer carries our marks, and is swept. */
const goneWithinMs = 30_000;

/**
 * Deletes the job and polls until it is gone, since it holds its mount and is found by searches until then. When cancelled, deletes
 * it without waiting. Never rejects.
 */
async function discard(
  { client, pollMs, signal }: JobSurroundings,
  { name, id }: { readonly name: string; readonly id: string },
): Promise<void> {
  const isThere = async (): Promise<boolean> => {
    const job = await client.getJob(id, { name, mode: 'alive_only' });
    return job !== undefined && job.status?.state?.toLowerCase() !== 'deleted';
  };
  const deadline = Date.now() + goneWithinMs;
  do {
    const isGone = await client
      .deleteJob(id)
      .then(async () => signal.aborted || !(await isThere()))
      .catch(() => false);
    if (isGone) return;
    await delay(pollMs, undefined, { signal }).catch(() => undefined);
  } while (!signal.aborted && Date.now() < deadline);
}

const isOver = (kind: ReturnType<JobSurroundings['readState']>['kind']): boolean =>
  kind !== 'pending' && kind !== 'ending';

const isUsable = (kind: ReturnType<JobSurroundings['readState']>['kind']): boolean =>
  kind === 'pending' || kind === 'completed';

/** Polls until the job is over, or `enough` holds; repeats requests that fail temporarily. */
async function waitFor(
  { client, readState, pollMs, signal, onProgress }: JobSurroundings,
  id: string,
  enough: (job: Job | undefined) => boolean,
): Promise<Job | undefined> {
  for (let failures = 0; ;) {
    try {
      const job = await client.getJob(id, { signal });
      failures = 0;
      if (isOver(readState(job).kind) || enough(job)) return job;
    } catch (error) {
      failures += 1;
      if (!(error instanceof LeptonError) || !isPassing(error) || failures > 10) throw error;
    }
    onProgress?.({ files: 0, bytes: 0 });
    await delay(pollMs, undefined, { signal });
  }
}

type Reading =
  | { readonly kind: 'read'; readonly fetched: FetchedFolder | undefined }
  | { readonly kind: 'incomplete'; readonly error: IncompleteCollection };

async function readLog(request: CollectRequest, surroundings: JobSurroundings, id: string): Promise<Reading> {
  const { client, signal, pollMs, onProgress } = surroundings;
  let error = new IncompleteCollection(`${request.folder}: job ${id} has no log`, 0);
  for (let reading = 1; reading <= maxReadings; reading += 1) {
    const [replica] = await client.jobReplicas(id, { signal });
    try {
      if (replica) {
        const source = client.jobLog(id, replica.id, { signal, follow: true });
        const { fileSystem, path } = request.storage;
        const maxBytes = Math.min(request.maxBytes, maxCollectedBytes);
        const received = { source, fileSystem, path: `${path}/${request.folder}`, maxBytes, onProgress, signal };
        return { kind: 'read', fetched: await receiveCollected({ ...request, ...received }) };
      }
    } catch (broken) {
      if (broken instanceof IncompleteCollection) error = broken;
      else if (!(broken instanceof LeptonError && isPassing(broken))) throw broken;
    }
    const job = await client.getJob(id, { signal });
    if (surroundings.readState(job).kind === 'failed') throw await jobFailed(surroundings, id, job);
    await delay(pollMs, undefined, { signal });
  }
  return { kind: 'incomplete', error };
}

/** Bytes at the end of a failed job's log that are searched for the reason. */
const tailBytes = 4_000;

/** What the job says is in the folder and was not expected; `undefined`: it failed for another reason, or its log can't be read. */
async function unexpectedIn({ client, signal }: JobSurroundings, id: string) {
  const lines = await lastLines(client, id, signal).catch(() => []);
  return lines.map(parseCollectorLine).find((line) => line?.kind === 'holds');
}

async function jobFailed(
  { client, signal }: JobSurroundings,
  id: string,
  job: Job | undefined,
): Promise<HelperJobFailed> {
  const reason = job?.status?.message ?? (await lastLine(client, id, signal).catch(() => ''));
  const state = job?.status?.state ?? 'gone';
  return new HelperJobFailed(
    `job ${id}, which stands in for the storage API, ended as ${state}${reason === '' ? '' : `: ${reason}`}`,
  );
}

const lastLine = async (client: LeptonClient, id: string, signal: AbortSignal): Promise<string> =>
  (await lastLines(client, id, signal)).at(-1)?.trim() ?? '';

async function lastLines(client: LeptonClient, id: string, signal: AbortSignal): Promise<string[]> {
  const [replica] = await client.jobReplicas(id, { signal });
  let tail = Buffer.alloc(0);
  if (!replica) return [];
  for await (const chunk of client.jobLog(id, replica.id, { signal }))
    tail = Buffer.concat([tail, chunk]).subarray(-tailBytes);
  return tail.toString('utf8').trim().split('\n');
}

const isPassing = ({ kind }: LeptonError): boolean =>
  kind === 'network' || kind === 'server' || kind === 'rate_limited' || kind === 'invalid_response';
