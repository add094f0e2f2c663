import { execa } from 'execa';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Limits } from './rule';

/** How processes are limited on this machine. All mechanisms use cgroup v2; `mount` is where it is mounted. */
export type Mechanism =
  | { readonly kind: 'systemd'; readonly manager: 'user' | 'system'; readonly mount: string }
  /** `folder`: a control group in which this user may create others. */
  | { readonly kind: 'cgroup'; readonly folder: string; readonly mount: string }
  | { readonly kind: 'none'; readonly why: string };

const TRIAL_TIMEOUT_MS = 5_000;
const CONTROLLERS = ['memory', 'cpu'] as const;
/** Period of CPU quotas in microseconds; the kernel's default. */
const PERIOD_US = 100_000;
/** How long removing a group is retried: it fails for a moment after the last process ended. */
const REMOVAL_TIMEOUT_MS = 2_000;

/** Describes the mechanism, or why there is none. */
export function describeMechanism(mechanism: Mechanism): string {
  switch (mechanism.kind) {
    case 'systemd':
      return `systemd scopes of the ${mechanism.manager} manager`;
    case 'cgroup':
      return `control groups in ${mechanism.folder}`;
    case 'none':
      return `none (${mechanism.why})`;
  }
}

/**
 * Finds a mechanism that works, by trying. `EVALSAGA_LIMITS=off` disables limits; `EVALSAGA_CGROUP` is a delegated
 * cgroup v2 folder to use.
 */
export async function findMechanism(env: NodeJS.ProcessEnv = process.env): Promise<Mechanism> {
  if (env['EVALSAGA_LIMITS'] === 'off') return { kind: 'none', why: 'switched off by EVALSAGA_LIMITS' };
  if (process.platform !== 'linux') return { kind: 'none', why: `${process.platform} has no control groups` };
  const mount = mountOfCgroup2(await text('/proc/self/mounts'));
  if (mount === undefined) return { kind: 'none', why: 'cgroup v2 is not mounted' };
  const missing = missingControllers(await text(path.join(mount, 'cgroup.controllers')));
  if (missing.length > 0)
    return { kind: 'none', why: `cgroup v2 at ${mount} lacks the controllers ${missing.join(' and ')}` };
  const manager = process.getuid?.() === 0 ? 'system' : 'user';
  if (await systemdWorks(manager, mount)) return { kind: 'systemd', manager, mount };
  const folder = env['EVALSAGA_CGROUP'] || path.join(mount, ownGroup(await text('/proc/self/cgroup')));
  if (await canCreateGroups(folder)) return { kind: 'cgroup', folder, mount };
  const why = `systemd-run (${manager}) does not answer, and no group with ${CONTROLLERS.join(' and ')} can be created in ${folder}`;
  return { kind: 'none', why };
}

/** Returns where cgroup v2 is mounted, given the content of `/proc/self/mounts`. Pure. */
export function mountOfCgroup2(mounts: string): string | undefined {
  const line = mounts.split('\n').find((entry) => entry.split(' ')[2] === 'cgroup2');
  return line?.split(' ')[1];
}

/** Returns the required controllers that the content of `cgroup.controllers` lacks. Pure. */
export function missingControllers(controllers: string): string[] {
  const available = controllers.trim().split(/\s+/);
  return CONTROLLERS.filter((name) => !available.includes(name));
}

/** Returns the path of the own group below the mount, given the content of `/proc/self/cgroup`. Pure. */
export function ownGroup(groups: string): string {
  return /^0::(.*)$/m.exec(groups)?.[1] ?? '/';
}

/** Returns the words to put before a command so that it runs with these limits, in the same process. Pure. */
export function systemdPrefix(manager: 'user' | 'system', { cpus, memoryMiB }: Limits, name: string): string[] {
  return [
    ...['systemd-run', ...(manager === 'user' ? ['--user'] : []), '--scope', '--quiet', '--collect', `--unit=${name}`],
    ...(memoryMiB === undefined ? [] : ['-p', `MemoryMax=${memoryMiB}M`, '-p', 'MemorySwapMax=0']),
    ...(cpus === undefined ? [] : ['-p', `CPUQuota=${Math.round(cpus * 100)}%`]),
    '--',
  ];
}

/** Returns the words to put before a command so that it joins the group with this folder. Pure. */
export const joinGroup = (folder: string): string[] => [
  ...['/bin/sh', '-c', 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"', 'sh', folder],
];

/** Creates a group with these limits. */
export async function makeGroup(folder: string, { cpus, memoryMiB }: Limits): Promise<void> {
  await mkdir(folder);
  const file = (name: string): string => path.join(folder, name);
  if (memoryMiB !== undefined) {
    await writeFile(file('memory.max'), String(memoryMiB * 2 ** 20));
    // The file doesn't exist if the kernel has no swap accounting.
    await writeFile(file('memory.swap.max'), '0', { flag: 'r+' }).catch(() => undefined);
  }
  if (cpus !== undefined) await writeFile(file('cpu.max'), `${Math.round(cpus * PERIOD_US)} ${PERIOD_US}`);
}

/** Removes a group whose processes have ended. A missing group is not an error. */
export async function removeGroup(folder: string): Promise<void> {
  for (const until = Date.now() + REMOVAL_TIMEOUT_MS; Date.now() < until; await sleep(50)) {
    const removed = await rmdir(folder).then(
      () => true,
      (error: NodeJS.ErrnoException) => error.code === 'ENOENT',
    );
    if (removed) return;
  }
}

async function systemdWorks(manager: 'user' | 'system', mount: string): Promise<boolean> {
  const name = `evalsaga-trial-${randomBytes(6).toString('hex')}`;
  const [command = '', ...words] = systemdPrefix(manager, { cpus: 1, memoryMiB: 512 }, name);
  const script = 'group=$0$(sed -n "s/^0:://p" /proc/self/cgroup); cat "$group/memory.max" "$group/cpu.max"';
  const trial = await execa(command, [...words, '/bin/sh', '-c', script, mount], {
    reject: false,
    stdin: 'ignore',
    timeout: TRIAL_TIMEOUT_MS,
  });
  return !trial.failed && trial.stdout === `${512 * 2 ** 20}\n${PERIOD_US} ${PERIOD_US}`;
}

async function canCreateGroups(folder: string): Promise<boolean> {
  const child = path.join(folder, `evalsaga-trial-${randomBytes(6).toString('hex')}`);
  try {
    const enabled = (await readFile(path.join(folder, 'cgroup.subtree_control'), 'utf8')).trim().split(/\s+/);
    const wanted = CONTROLLERS.filter((name) => !enabled.includes(name));
    if (wanted.length > 0)
      await writeFile(path.join(folder, 'cgroup.subtree_control'), wanted.map((name) => `+${name}`).join(' '));
    await makeGroup(child, { cpus: 1, memoryMiB: 512 });
    const [command = '', ...words] = [...joinGroup(child), 'true'];
    return !(await execa(command, words, { reject: false, timeout: TRIAL_TIMEOUT_MS })).failed;
  } catch {
    return false;
  } finally {
    await removeGroup(child);
  }
}

const text = (file: string): Promise<string> => readFile(file, 'utf8').catch(() => '');
