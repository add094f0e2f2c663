/** Checks the finished specs against the platform's rules, wherever their mounts and variables came from. */
import path from 'node:path';
import { isOwnVariable, isPlatformVariable } from '../../contract/identity';
import type { EnvEntry, MountSpec, RunPlan, SharedEndpointPlan, TaskPlan } from '../../contract/plan';
import { scalarsOf } from '../yaml/tree';
import { cachesPath } from './shared-caches';
import type { ProblemReport } from './problem-report';

const jobMounts = 'execution.lepton_platform.tasks.mounts';
const cacheMount = 'deployment.lepton_config.mounts';

/** Mount paths that the platform's own client refuses. */
const systemFolders = new Set(
  (
    '/ /bin /boot /dev /etc /lib /lib64 /media /opt /proc /run /sbin /srv /sys /usr /usr/bin /usr/lib /usr/local /usr/sbin /var ' +
    '/sys/fs/cgroup /sys/kernel/security /proc/sys /proc/bus'
  ).split(' '),
);

/** Reports mounts and variables that the platform would refuse, or that would hide results. */
export function checkPlatformRules(plan: Pick<RunPlan, 'endpoint' | 'tasks'>, report: ProblemReport): void {
  const once = withoutRepeats(report);
  if (plan.endpoint.kind === 'dedicated') {
    const { spec } = plan.endpoint;
    checkMounts(spec.mounts, { pathOf: (_index, mount) => cachesIn(mount, report) ?? cacheMount, add: once });
    checkVariables(spec.envs, report, once);
  }
  for (const task of plan.tasks) {
    checkMounts(task.job.mounts, {
      pathOf: (index, mount) => cachesIn(mount, report) ?? jobMountPath(task, index, report),
      add: once,
    });
    checkResultFolder(task, report, once);
    checkVariables(task.job.envs, report, once);
  }
}

/** The same for endpoints that several tasks use. */
export function checkSharedEndpoints(shared: readonly SharedEndpointPlan[], report: ProblemReport): void {
  const once = withoutRepeats(report);
  for (const { name, endpoint } of shared) {
    if (endpoint.kind !== 'dedicated') continue;
    const at = `auxiliary_deployments.${name}.lepton_config.mounts`;
    checkMounts(endpoint.spec.mounts, { pathOf: () => at, add: once });
    checkVariables(endpoint.spec.envs, report, once);
  }
}

type Add = (path: string, message: string, hint?: string) => void;

/** Reports a problem that all tasks share only once. */
function withoutRepeats(report: ProblemReport): Add {
  const said = new Set<string>();
  return (at, message, hint) => {
    if (said.has(`${at}\0${message}`)) return;
    said.add(`${at}\0${message}`);
    report.add(at, message, hint);
  };
}

/** Returns the config path of the shared caches if this is their mount. */
function cachesIn({ path: folder, mount_path }: MountSpec, report: ProblemReport): string | undefined {
  const valueOf = (key: string): unknown => {
    const node = report.node([...cachesPath.split('.'), key]);
    return node?.kind === 'scalar' ? node.value : undefined;
  };
  const isTheirs = valueOf('path') === folder && (valueOf('mount_path') ?? mount_path) === mount_path;
  return isTheirs ? cachesPath : undefined;
}

/** Returns the config path of a job's mount. The spec has the run's storage first, then further mounts, then the data set. */
function jobMountPath(task: TaskPlan, index: number, report: ProblemReport): string {
  const listed = report.node(jobMounts.split('.'));
  return listed?.kind === 'list' && index < listed.items.length
    ? `${jobMounts}.${index}`
    : `evaluation.tasks.${task.index}.dataset_mount_path`;
}

const normalizedPath = (folder: string): string => path.posix.normalize(folder).replace(/(.)\/+$/, '$1');

function checkMounts(
  mounts: readonly MountSpec[],
  { pathOf, add }: { readonly pathOf: (index: number, mount: MountSpec) => string; readonly add: Add },
): void {
  const seen = new Map<string, number>();
  for (const [index, mount] of mounts.entries()) {
    const at = pathOf(index, mount);
    const keyed = (key: string): string => (at.endsWith('dataset_mount_path') ? at : `${at}.${key}`);
    const target = normalizedPath(mount.mount_path);
    if (!path.posix.isAbsolute(mount.mount_path))
      add(keyed('mount_path'), `\`${mount.mount_path}\` is not an absolute path`, 'e.g. /workspace');
    else if (hasParentSegment(mount.mount_path)) add(keyed('mount_path'), '`..` is not allowed in a mount path');
    else if (systemFolders.has(target))
      add(keyed('mount_path'), `${mount.mount_path} is a system folder of the container`, 'e.g. /workspace');
    const source = at.endsWith('dataset_mount_path')
      ? at.replace('dataset_mount_path', 'dataset_dir')
      : at.endsWith(cacheMount.replace('deployment', ''))
        ? `${at}.cache_path`
        : `${at}.path`;
    if (hasParentSegment(mount.path)) add(source, '`..` is not allowed in a path in a volume');
    else if (!path.posix.isAbsolute(mount.path))
      add(source, `\`${mount.path}\` is not an absolute path`, 'give the path from the root of the volume: /folder');
    const before = seen.get(target);
    if (before !== undefined)
      add(
        keyed('mount_path'),
        `${mount.mount_path} is the mount path of two mounts`,
        'choose another path for one of them',
      );
    seen.set(target, index);
  }
}

const hasParentSegment = (folder: string): boolean => folder.split('/').includes('..');

/** Reports mounts in or above the task's folder, which would hide its results. */
function checkResultFolder(task: TaskPlan, report: ProblemReport, add: Add): void {
  const [storage, ...others] = task.job.mounts;
  if (storage === undefined) return;
  const root = normalizedPath(storage.mount_path);
  const results = path.posix.join(root, task.folder);
  for (const [index, mount] of others.entries()) {
    const { mount_path: target } = mount;
    const folder = normalizedPath(target);
    const isAbove = root !== folder && `${root}/`.startsWith(`${folder}/`);
    if (!isAbove && !`${folder}/`.startsWith(`${results}/`)) continue;
    const at = cachesIn(mount, report) ?? jobMountPath(task, index + 1, report);
    add(
      at.endsWith('dataset_mount_path') ? at : `${at}.mount_path`,
      `a mount at ${target} hides the folder of the results, ${results}`,
      'choose a path outside that folder',
    );
  }
}

function checkVariables(envs: readonly EnvEntry[], report: ProblemReport, add: Add): void {
  for (const { name } of envs)
    if (isPlatformVariable(name)) add(placeOfName(name, report), `${name}: the platform sets this variable itself`);
}

/** Checks the names of variables in lists and keys; those in maps are checked by their schema. */
export function checkNamedVariables(report: ProblemReport): void {
  for (const { path: at, node } of scalarsOf(report.root)) {
    const isName = at.includes('env_var_names') || at.at(-1) === 'api_key_name';
    if (isName && typeof node.value === 'string' && isOwnVariable(node.value))
      report.add(at.join('.'), `evalsaga sets ${node.value} itself`, 'choose another name');
  }
}

function placeOfName(name: string, report: ProblemReport): string {
  for (const { path: at, node } of scalarsOf(report.root))
    if (node.value === name && (at.includes('env_var_names') || at.at(-1) === 'api_key_name')) return at.join('.');
  return '';
}
