import path from 'node:path';
import { hasStorageApi } from '../results/transfer/task-storage';
import type { EvaluationJob } from '../contract/inputs/job';
import { outputDirVariable } from '../contract/identity';
import type { MountSpec, StoragePlan } from '../contract/plan';
import { LeptonError } from '../lepton/lepton-error';
import { marksOf } from '../lepton/render-spec';
import type { Job, LeptonClient } from '../lepton/types';
import { partWithSecrets, type WireSpec } from './spec-secrets';

/** Finds a run's folder without its plan. */

export type StoragePlace = Pick<StoragePlan, 'fileSystem' | 'path'>;

/** A job of the run, and what it says about the run's storage: enough to create helper jobs that access it. */
export interface JobTrace {
  readonly origin: string;
  readonly index: number;
  readonly storage: StoragePlan;
  readonly job: EvaluationJob;
  /** The part of the job's spec that may hold secrets. */
  readonly spec: WireSpec;
}

/**
 * Reads from the run's jobs, alive or archived, where its folder is and how a job mounts it. Returns `undefined` if the platform
 * has no such job any more.
 */
export async function findTrace(platform: LeptonClient, invocation: string): Promise<JobTrace | undefined> {
  // The names of all jobs of a run end with this.
  const name = invocation.slice(0, 8);
  const alive = await platform.listJobs({ name, mode: 'alive_only' });
  return traceIn(alive, invocation) ?? traceIn(await archivedJobs(platform, name), invocation);
}

async function archivedJobs(platform: LeptonClient, name: string): Promise<Job[]> {
  try {
    return await platform.listJobs({ name, mode: 'archive_only' });
  } catch (error) {
    // A platform without an archive refuses the request.
    if (error instanceof LeptonError && (error.kind === 'invalid_request' || error.kind === 'not_found')) return [];
    throw error;
  }
}

function traceIn(jobs: readonly Job[], invocation: string): JobTrace | undefined {
  for (const job of jobs) {
    const trace = traceOf(job, invocation);
    if (trace) return trace;
  }
  return undefined;
}

/** Pure. */
export function traceOf({ metadata, spec = {} }: Job, invocation: string): JobTrace | undefined {
  const marks = marksOf(spec.envs);
  if (marks?.invocation !== invocation || !spec.envs?.some(({ name }) => name === outputDirVariable)) return undefined;
  const mounts = (spec['mounts'] ?? []) as readonly Partial<MountSpec>[];
  const mount = mounts.find((candidate) => candidate.path?.split('/').includes(invocation));
  const image = (spec['container'] as { readonly image?: string } | undefined)?.image;
  if (mount?.path === undefined || mount.from === undefined || image === undefined) return undefined;
  const parts = mount.path.split('/');
  const folder = parts.slice(0, parts.indexOf(invocation) + 1).join('/');
  const ownMount = { path: folder, from: mount.from, mount_path: mount.mount_path ?? '/workspace' };
  const affinity = spec['affinity'] as { readonly allowed_dedicated_node_groups?: readonly string[] } | undefined;
  return {
    origin: marks.origin,
    index: marks.index,
    spec: partWithSecrets(spec),
    storage: { fileSystem: fileSystemOf(mount.from), path: folder, mount: ownMount },
    job: {
      name: metadata.name ?? metadata.id ?? '',
      spec: {
        container: { image },
        envs: [],
        mounts: [ownMount],
        nodeGroup: affinity?.allowed_dedicated_node_groups?.[0] ?? null,
        body: { image_pull_secrets: spec['image_pull_secrets'] ?? [] },
      },
    },
  };
}

/** Returns the storage API's name for a mount's volume: NAME for `node-nfs:NAME`, otherwise `default`. Pure. */
const fileSystemOf = (from: string): string => /^node-nfs:(.+)$/.exec(from)?.[1] ?? 'default';

/** Limits of the search: run folders are a few levels below the root, and a file system can be very large. */
const search = { deepest: 4, mostFolders: 400 } as const;

/** Searches for the folder by name through the storage API; returns `undefined` if there is no such folder or no such API. */
export async function searchFolder(platform: LeptonClient, invocation: string): Promise<StoragePlace | undefined> {
  if (!(await hasStorageApi(platform))) return undefined;
  const names = new Set([...(await platform.storage.fileSystems()), 'default']);
  for (const fileSystem of names) {
    const found = await searchIn(platform, fileSystem, invocation);
    if (found !== undefined) return { fileSystem, path: found };
  }
  return undefined;
}

async function searchIn(platform: LeptonClient, fileSystem: string, invocation: string): Promise<string | undefined> {
  const open: { readonly folder: string; readonly depth: number }[] = [{ folder: '/', depth: 1 }];
  for (let looked = 0; looked < search.mostFolders; looked += 1) {
    const next = open.shift();
    if (!next) return undefined;
    const entries = (await platform.storage.list(fileSystem, next.folder)) ?? [];
    const folders = entries.filter(({ type }) => type === 'dir').map(({ name }) => path.posix.join(next.folder, name));
    const found = folders.find((folder) => path.posix.basename(folder) === invocation);
    if (found !== undefined) return found;
    if (next.depth < search.deepest) open.push(...folders.map((folder) => ({ folder, depth: next.depth + 1 })));
  }
  return undefined;
}
