/** The run's folder in workspace storage. */
import path from 'node:path';
import type { MountSpec, StoragePlan } from '../../contract/plan';
import type { ResolvedConfig } from '../schema/config';
import type { Report } from './report';

const mountsPath = 'execution.lepton_platform.tasks.mounts';

/** Folders a container cannot do without: nothing is mounted over them (what the platform's own client refuses). */
const systemFolders = new Set(
  (
    '/ /bin /boot /dev /etc /lib /lib64 /media /opt /proc /run /sbin /srv /sys /usr /usr/bin /usr/lib /usr/local /usr/sbin /var ' +
    '/sys/fs/cgroup /sys/kernel/security /proc/sys /proc/bus'
  ).split(' '),
);

/** `<path>/<invocation>` of the first mount; `null` after a problem. */
export function storagePlan(config: ResolvedConfig, invocation: string, report: Report): StoragePlan | null {
  const { mounts } = config.execution.lepton_platform.tasks;
  for (const [index, mount] of mounts.entries()) {
    if (systemFolders.has(path.posix.normalize(mount.mount_path).replace(/(.)\/$/, '$1')))
      report.add(
        `${mountsPath}.${index}.mount_path`,
        `${mount.mount_path} belongs to the container's system`,
        'e.g. /workspace',
      );
    if (mount.path.split('/').includes('..'))
      report.add(`${mountsPath}.${index}.path`, '`..` is not allowed in a path of a volume');
  }
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
  return { fileSystem: volume ?? 'default', path: folder, mount: mountOf({ ...first, path: folder }) };
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
