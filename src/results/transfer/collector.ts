import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { EnvEntry, JobSpec, MountSpec, StoragePlan } from '../../contract/plan';
import { defaultSkips } from '../../contract/skip-results';

/**
 * Where a workspace has no storage API: a small job that mounts the run's folder and hands its files over through its log,
 * and one that removes the folder. Both run a Python script that travels inside the command; they need an image with bash
 * and Python 3, such as the evaluation's own. Pure but for reading that script.
 */

/** What a log can be trusted with; more stays in storage. */
export const largestCollectedBytes = 64 * 1024 * 1024;

const mountPath = '/evalsaga-storage';

/** Not the variable that evaluation jobs have: the local platform would make a harness ready for it. */
const folderVariable = 'EVALSAGA_COLLECT_FOLDER';

interface CollectorPlacement {
  /** With bash and Python 3, e.g. the image of the evaluation job. */
  readonly image: string;
  /** Default `cpu.small`. */
  readonly resourceShape?: string;
  readonly nodeGroup: string | null;
  readonly imagePullSecrets?: readonly string[];
}

/** Seconds that an ended job stays on the platform: its log must outlive a worker that is away for a while. */
const keptForSeconds = 24 * 3_600;

/** However slow its mount is, and whoever is gone by then: it ends, and so does what it costs. */
const longestSeconds = 4 * 3_600;

export interface CollectorRequest extends CollectorPlacement {
  readonly storage: StoragePlan;
  /** The task's folder below the storage path. */
  readonly folder: string;
  /** At most `largestCollectedBytes`. */
  readonly maxBytes: number;
  /** Names that stay behind on purpose. Default: `defaultSkips`. */
  readonly skip?: readonly string[] | undefined;
  /** Files before this position (from `IncompleteCollection`) are home already; 0: none. */
  readonly from: number;
}

/** The job that hands a task's folder over. Its log is read by `receiveCollected`. */
export function collectorJob(request: CollectorRequest): JobSpec {
  const { storage, folder, maxBytes, from } = request;
  const mount: MountSpec = {
    path: storage.path,
    from: storage.mount.from,
    mount_path: mountPath,
    mount_options: { read_only: true },
  };
  return scriptJob(request, mount, [
    { name: 'EVALSAGA_COLLECTOR', value: 'collect' },
    { name: folderVariable, value: path.posix.join(mountPath, folder) },
    { name: 'EVALSAGA_COLLECT_FROM', value: String(from) },
    { name: 'EVALSAGA_COLLECT_SKIP', value: JSON.stringify(request.skip ?? defaultSkips) },
    { name: 'EVALSAGA_COLLECT_MAX_BYTES', value: String(Math.min(maxBytes, largestCollectedBytes)) },
  ]);
}

export interface RemovalRequest extends CollectorPlacement {
  readonly storage: StoragePlan;
  /** Folder below the storage path; `null`: the run's whole folder. */
  readonly folder: string | null;
  /** Refuses while folders of tasks are in it. Default: removes all. */
  readonly unlessTasks?: boolean;
  /** Names that may be in the folder: refuses while there are files beside them. Default: removes all. */
  readonly expected?: readonly string[] | undefined;
}

/**
 * The job that removes a run's folder, or one task's in it; Completed means gone. It mounts the folder above, since nobody
 * can remove what he stands on, and refuses any name that is not a run's.
 */
export function storageRemovalJob(request: RemovalRequest): JobSpec {
  const { storage, folder } = request;
  const mount: MountSpec = {
    path: path.posix.dirname(storage.path),
    from: storage.mount.from,
    mount_path: mountPath,
  };
  const run = path.posix.basename(storage.path);
  return scriptJob(request, mount, [
    { name: 'EVALSAGA_COLLECTOR', value: 'remove' },
    { name: folderVariable, value: mountPath },
    { name: 'EVALSAGA_REMOVE', value: folder === null ? run : `${run}/${folder}` },
    ...(request.unlessTasks ? [{ name: 'EVALSAGA_REMOVE_UNLESS_TASKS', value: '1' }] : []),
    ...(request.expected ? [{ name: 'EVALSAGA_REMOVE_EXPECTED', value: JSON.stringify(request.expected) }] : []),
  ]);
}

/** Deterministic, within the platform's rules for names, one per evaluation job, purpose and round (from 0). */
export function collectorJobName(jobName: string, purpose: 'collect' | 'remove', round: number): string {
  const digest = createHash('sha256').update(jobName).digest('hex').slice(0, 16);
  return `${purpose}-${digest}-${round}`;
}

function scriptJob(placement: CollectorPlacement, mount: MountSpec, envs: readonly EnvEntry[]): JobSpec {
  const script = readFileSync(path.join(__dirname, 'collector.py')).toString('base64');
  // Base64 holds nothing that a shell, or the platform's own $(VARIABLE) replacement, could take for its own.
  const command = `exec timeout -k 60 ${longestSeconds} python3 -c "import base64; exec(base64.b64decode('${script}'))"`;
  return {
    container: { image: placement.image, command: ['/bin/bash', '-c', command] },
    envs,
    mounts: [mount],
    nodeGroup: placement.nodeGroup,
    body: {
      resource_shape: placement.resourceShape ?? 'cpu.small',
      completions: 1,
      parallelism: 1,
      max_failure_retry: 0,
      ttl_seconds_after_finished: keptForSeconds,
      ...(placement.imagePullSecrets ? { image_pull_secrets: placement.imagePullSecrets } : {}),
    },
  };
}
