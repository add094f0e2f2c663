/** Plans the run's folder in workspace storage. */
import path from 'node:path';
import type { MountSpec, StoragePlan } from '../../contract/plan';
import type { ResolvedConfig } from '../schema/config';
import type { ProblemReport } from './problem-report';

const mountsPath = 'execution.lepton_platform.tasks.mounts';

/** Returns the folder `<path>/<invocation>` in the first mount; `null` after a problem. */
export function storagePlan(config: ResolvedConfig, invocation: string, report: ProblemReport): StoragePlan | null {
  const { mounts } = config.execution.lepton_platform.tasks;
  const [first] = mounts;
  if (first === undefined) {
    report.add(
      mountsPath,
      'there is no mount, but a run needs workspace storage for its results',
      "keep the preset's mount, or add one: {from: node-nfs:NAME, path: /folder, mount_path: /workspace}",
    );
    return null;
  }
  if (first.mount_options?.read_only === true)
    report.add(
      `${mountsPath}.0.mount_options.read_only`,
      'the first mount cannot be read-only: results are written to it',
    );
  const folder = path.posix.join(path.posix.normalize(first.path), invocation);
  const volume = /^node-nfs:(.+)$/.exec(first.from)?.[1];
  if (volume === undefined) {
    report.add(
      `${mountsPath}.0.from`,
      `the first mount is the run's storage, but results cannot be downloaded from \`${first.from}\``,
      'use a shared volume, node-nfs:NAME, and mount other volumes after it',
    );
    return null;
  }
  return { fileSystem: volume, path: folder, mount: mountOf({ ...first, path: folder }) };
}

/** Returns the other mounts, unchanged. */
export const furtherMounts = (config: ResolvedConfig): MountSpec[] =>
  config.execution.lepton_platform.tasks.mounts.slice(1).map(mountOf);

type Mount = ResolvedConfig['execution']['lepton_platform']['tasks']['mounts'][number];

function mountOf({ path: folder, from, mount_path, mount_options: options }: Mount): MountSpec {
  const present = {
    ...(options?.local_cache_size_mib === undefined ? {} : { local_cache_size_mib: options.local_cache_size_mib }),
    ...(options?.read_only === undefined ? {} : { read_only: options.read_only }),
  };
  return { path: folder, from, mount_path, ...(Object.keys(present).length === 0 ? {} : { mount_options: present }) };
}
