import path from 'node:path';
import type { EvaluationJob } from '../../contract/inputs/job';
import type { FetchResultsInput, RemoveStorageInput } from '../../contract/inputs/results';
import type { StoragePlan } from '../../contract/plan';
import type { Platform } from '../../lepton/platforms';
import { renderJob, type Marks } from '../../lepton/render-spec';
import type { LeptonClient } from '../../lepton/types';
import { fetchTaskResults, type FetchedFolder, type FetchProgress } from './fetch';
import type { Journal } from './journal';
import type { TreeBounds } from './remote-tree';
import { collectThroughJob, removeThroughJob, type JobSurroundings } from './through-job';
import { readJobState } from '../../lepton/job-state';
import { resolveNodeGroup } from '../../lepton/node-groups';
import { NotHome, notHomeText, unexpectedEntries } from './run-folder';

/** Milliseconds between polls of a job that replaces the storage API. */
const pollMs = { local: 500, lepton: 5_000 } as const;

export interface StorageContext {
  readonly platform: Pick<Platform, 'client' | 'pace'> & Partial<Pick<Platform, 'lookups'>>;
  readonly marks: Marks;
  /** Masked in the local files. */
  readonly secrets: readonly string[];
  readonly signal: AbortSignal;
  readonly onProgress: (progress: FetchProgress) => void;
  /** Limits on what is fetched. Default: `boundsOfRun`. */
  readonly bounds?: TreeBounds | undefined;
  /** See `FetchRequest`. */
  readonly isSettled?: boolean | undefined;
  /** As in `FetchRequest`. */
  readonly openJournal?: ((target: string) => Promise<Journal>) | undefined;
}

/**
 * Fetches a task's folder through the workspace's storage API or, if it has none, through a small job that mounts the run's folder.
 * Checks for the API first: without it, every path looks absent.
 */
export async function fetchFolder(
  input: FetchResultsInput,
  context: StorageContext,
): Promise<FetchedFolder | undefined> {
  const { storage, folder, target, maxBytes, skip, isPacked } = input;
  const { client } = context.platform;
  if (await hasStorageApi(client)) {
    const { signal, secrets, onProgress } = context;
    const remote = path.posix.join(storage.path, folder);
    return fetchTaskResults({
      client,
      fileSystem: storage.fileSystem,
      path: remote,
      target,
      secrets,
      maxBytes,
      skip,
      bounds: context.bounds,
      isSettled: context.isSettled,
      isPacked,
      openJournal: context.openJournal,
      signal,
      onProgress,
    });
  }
  const { secrets, openJournal } = context;
  const request = { storage, folder, target, maxBytes, skip, secrets, openJournal, ...placement(input.job) };
  const around = await surroundings(input.job, context);
  return recheckingOnFailure(client, () => collectThroughJob(request, around));
}

/**
 * Removes the folder; returns whether it is gone, by the answer to the removal or to a read of it, and by the listing above it.
 * Rejects with `NotHome`, having removed nothing, where something is in it that `mustLack` or `expected` rules out.
 */
export async function removeFolder(input: RemoveStorageInput, context: StorageContext): Promise<boolean> {
  const { storage, folder, mustLack } = input;
  const { client } = context.platform;
  const remote = folder === null ? storage.path : path.posix.join(storage.path, folder);
  if (!(await hasStorageApi(client))) {
    if (mustLack === 'itself') return true; // The collector job, which had it mounted, has found it absent.
    const { expected } = input;
    const unlessTasks = mustLack === 'task folders';
    const request = { storage, folder, unlessTasks, expected, ...placement(input.job) };
    const around = await surroundings(input.job, context);
    await recheckingOnFailure(client, () => removeThroughJob(request, around));
    return true;
  }
  if (mustLack === 'itself') {
    if ((await client.storage.list(storage.fileSystem, remote)) === undefined) return true;
    throw new NotHome(`storage ${remote} is there, although it was not when results were fetched: it is kept`);
  }
  const place = { fileSystem: storage.fileSystem, path: remote };
  const wasAbsent = (await refuseUnexpected(client, place, input)) === 'absent';
  const wasThere = await client.storage.remove(place.fileSystem, place.path);
  if (wasAbsent && !wasThere) return true;
  const { dir, base } = path.posix.parse(remote);
  const siblings = wasThere ? await context.platform.lookups?.folder(place.fileSystem, dir) : undefined;
  if (siblings !== undefined) return !siblings.includes(base);
  return !(await client.storage.exists(place.fileSystem, place.path));
}

/** Returns whether the folder was found absent, if there was a reason to look. */
async function refuseUnexpected(
  client: LeptonClient,
  place: Pick<StoragePlan, 'fileSystem' | 'path'>,
  { mustLack, expected }: Pick<RemoveStorageInput, 'mustLack' | 'expected'>,
): Promise<'absent' | undefined> {
  if (expected !== undefined) {
    const unexpected = await unexpectedEntries(client, place, expected);
    if (unexpected === undefined) return 'absent';
    if (unexpected.length > 0) throw new NotHome(notHomeText(place.path, unexpected));
  } else if (mustLack === 'task folders') {
    const entries = await client.storage.list(place.fileSystem, place.path);
    const task = entries?.find(({ type, name }) => type === 'dir' && isTaskFolder(name));
    if (task === undefined) return entries === undefined ? 'absent' : undefined;
    throw new NotHome(
      `storage ${place.path} holds ${task.name}, which was not there when results were fetched: it is kept`,
    );
  }
  return undefined;
}

/** Plans name task folders so. */
const isTaskFolder = (name: string): boolean => /^\d+-/.test(name);

const withApi = new WeakSet<LeptonClient>();
/** When a workspace was last seen without the API, by a monotonic clock, milliseconds. */
const withoutApi = new WeakMap<LeptonClient, number>();
/** How long the absence of the API is cached, since a gateway may answer 404 for a while; its presence is cached for good. */
const absenceCachedMs = 60_000;

/** Returns whether the workspace has a storage API. */
export async function hasStorageApi(client: LeptonClient): Promise<boolean> {
  if (withApi.has(client)) return true;
  if (performance.now() - (withoutApi.get(client) ?? -Infinity) < absenceCachedMs) return false;
  const answer = await client.storage.available();
  if (answer) withApi.add(client);
  else withoutApi.set(client, performance.now());
  return answer;
}

/** Runs `work`; if that fails, the next attempt checks again whether there is an API. */
async function recheckingOnFailure<T>(client: LeptonClient, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    withoutApi.delete(client);
    throw error;
  }
}

/** Returns image and node group of the evaluation job: ours may use them too. */
function placement({ spec }: EvaluationJob): {
  image: string;
  nodeGroup: string | null;
  imagePullSecrets: readonly string[];
} {
  const secrets = spec.body['image_pull_secrets'];
  return {
    image: spec.container.image,
    nodeGroup: spec.nodeGroup,
    imagePullSecrets: Array.isArray(secrets) ? secrets.map(String) : [],
  };
}

async function surroundings(job: EvaluationJob, context: StorageContext): Promise<JobSurroundings> {
  const { platform, marks, signal, onProgress } = context;
  const nodeGroupId = await resolveNodeGroup(platform.client, job.spec.nodeGroup);
  const noSecrets = (name: string): string => {
    throw new Error(`a job that only moves files refers to ${name}`);
  };
  return {
    client: platform.client,
    render: (spec) => renderJob(spec, { marks, nodeGroupId, resolve: noSecrets, modelUrl: '' }),
    readState: readJobState,
    jobName: job.name,
    pollMs: pollMs[platform.pace],
    signal,
    onProgress,
  };
}
