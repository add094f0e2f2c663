/** The run's folder in workspace storage. */
import path from 'node:path';
import type { MountSpec, StoragePlan } from '../../contract/plan';
import type { ResolvedConfig } from '../schema/config';
import type { ProblemReport } from './problem-report';

const mountsPath = 'execution.lepton_platform.tasks.mounts';

/** `<path>/<invocation>` of the first mount; `null` after a problem. */
export function storagePlan(config: ResolvedConfig, invocation: string, report: ProblemReport): StoragePlan | null {
  const { mounts } = config.execution.lepton_platform.tasks;
  const [first] = mounts;
  if (first === undefined) {
    report.add(
      mountsPath,
      'a run needs workspace storage to bring its results home',
      "keep the preset's mount, or list one: {from: node-nfs:NAME, path: /folder, mount_path: /workspace}",
    );
    return null;
  }
  if (first.mount_options?.read_only === true)
    report.add(
      `${mountsPath}.0.mount_options.read_only`,
      "results are written to the first mount, so it can't be read-only",
    );
  const folder = path.posix.join(path.posix.normalize(first.path), invocation);
  const volume = /^node-nfs:(.+)$/.exec(first.from)?.[1];
  if (volume === undefined) {
    report.add(
      `${mountsPath}.0.from`,
      `results can't come home from \`${first.from}\`: the first mount is the run's storage`,
      'a shared volume: node-nfs:NAME; other volumes go into further mounts',
    );
    return null;
  }
  return { fileSystem: volume, path: folder, mount: mountOf({ ...first, path: folder }) };
}

/** The other mounts, as they are. */
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
