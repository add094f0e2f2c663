import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { EnvEntry, JobSpec, MountSpec, StoragePlan } from '../../contract/plan';
import { defaultSkips } from '../../contract/skip-results';

/**
 * Jobs for workspaces without a storage API: one mounts the run's folder and transfers its files through its log, the other removes
 * the folder. Both run a Python script that is part of their command, and need an image with bash and Python 3, such as the
 * evaluation's own. Pure except for reading that script.
 */

/** Limit on what is transferred through a log, bytes; the rest stays in storage. */
export const maxCollectedBytes = 64 * 1024 * 1024;

const mountPath = '/evalsaga-storage';

/** Differs from the variable of evaluation jobs, for which the local platform would prepare a harness. */
const folderVariable = 'EVALSAGA_COLLECT_FOLDER';

interface CollectorPlacement {
  /** With bash and Python 3, e.g. the image of the evaluation job. */
  readonly image: string;
  /** Default `cpu.small`. */
  readonly resourceShape?: string;
  readonly nodeGroup: string | null;
  readonly imagePullSecrets?: readonly string[];
}

/** Seconds that an ended job stays on the platform, so that its log outlives an absent worker. */
const keptForSeconds = 24 * 3_600;

/** Time limit of the job, so that it ends and stops costing even with a slow mount and no worker. Seconds. */
const timeoutSeconds = 4 * 3_600;

export interface CollectorRequest extends CollectorPlacement {
  readonly storage: StoragePlan;
  /** The task's folder below the storage path. */
  readonly folder: string;
  /** At most `maxCollectedBytes`. */
  readonly maxBytes: number;
  /** Names that are not fetched on purpose. Default: `defaultSkips`. */
  readonly skip?: readonly string[] | undefined;
  /** Files before this position (from `IncompleteCollection`) are complete; 0: none. */
  readonly from: number;
}

/** Returns the job that transfers a task's folder. `receiveCollected` reads its log. */
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
    { name: 'EVALSAGA_COLLECT_MAX_BYTES', value: String(Math.min(maxBytes, maxCollectedBytes)) },
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
 * Returns the job that removes a run's folder, or one task's in it; Completed means removed. It mounts the parent folder, since a
 * mount point can't be removed, and refuses any name that is not a run's.
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

/** Returns a deterministic name that the platform accepts, one per evaluation job, purpose and round (from 0). */
export function collectorJobName(jobName: string, purpose: 'collect' | 'remove', round: number): string {
  const digest = createHash('sha256').update(jobName).digest('hex').slice(0, 16);
  return `${purpose}-${digest}-${round}`;
}

function scriptJob(placement: CollectorPlacement, mount: MountSpec, envs: readonly EnvEntry[]): JobSpec {
  const script = readFileSync(path.join(__dirname, 'collector.py')).toString('base64');
  // Base64 has no characters that a shell, or the platform's $(VARIABLE) replacement, would interpret.
  const command = `exec timeout -k 60 ${timeoutSeconds} python3 -c "import base64; exec(base64.b64decode('${script}'))"`;
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
