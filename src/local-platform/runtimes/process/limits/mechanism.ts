import { execa } from 'execa';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Limits } from './rule';

/** What limits processes on this machine. All of it is cgroup v2, whose `mount` is where its files are. */
export type Mechanism =
  | { readonly kind: 'systemd'; readonly manager: 'user' | 'system'; readonly mount: string }
  /** `folder`: a control group in which this user may make others. */
  | { readonly kind: 'cgroup'; readonly folder: string; readonly mount: string }
  | { readonly kind: 'none'; readonly why: string };

const TRIAL_MS = 5_000;
const CONTROLLERS = ['memory', 'cpu'] as const;
/** Period of the scheduler's quotas, in microseconds: the kernel's default. */
const PERIOD_US = 100_000;
/** A group can be removed a moment after its last process ended. */
const REMOVAL_MS = 2_000;

/** Says what limits here, or why nothing does. */
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

/** Finds out by trying. `EVALSAGA_LIMITS=off` means none; `EVALSAGA_CGROUP` names a delegated group of cgroup v2 to use. */
export async function findMechanism(env: NodeJS.ProcessEnv = process.env): Promise<Mechanism> {
  if (env['EVALSAGA_LIMITS'] === 'off') return { kind: 'none', why: 'switched off by EVALSAGA_LIMITS' };
  if (process.platform !== 'linux') return { kind: 'none', why: `${process.platform} has no control groups` };
  const mount = mountOfCgroup2(await text('/proc/self/mounts'));
  if (mount === undefined) return { kind: 'none', why: 'cgroup v2 is not mounted' };
  const missing = missingControllers(await text(path.join(mount, 'cgroup.controllers')));
  if (missing.length > 0)
    return { kind: 'none', why: `cgroup v2 at ${mount} lacks the controllers ${missing.join(' and ')}` };
  const manager = process.getuid?.() === 0 ? 'system' : 'user';
  if (await systemdLimits(manager, mount)) return { kind: 'systemd', manager, mount };
  const folder = env['EVALSAGA_CGROUP'] || path.join(mount, ownGroup(await text('/proc/self/cgroup')));
  if (await groupsCanBeMade(folder)) return { kind: 'cgroup', folder, mount };
  const why = `systemd-run (${manager}) does not answer, and no group with ${CONTROLLERS.join(' and ')} can be made in ${folder}`;
  return { kind: 'none', why };
}

/** Where cgroup v2 is mounted, by the text of `/proc/self/mounts`. Pure. */
export function mountOfCgroup2(mounts: string): string | undefined {
  const line = mounts.split('\n').find((entry) => entry.split(' ')[2] === 'cgroup2');
  return line?.split(' ')[1];
}

/** Controllers that are needed and not in the text of `cgroup.controllers`. Pure. */
export function missingControllers(controllers: string): string[] {
  const there = controllers.trim().split(/\s+/);
  return CONTROLLERS.filter((name) => !there.includes(name));
}

/** Path of one's own group below the mount, by the text of `/proc/self/cgroup`. Pure. */
export function ownGroup(groups: string): string {
  return /^0::(.*)$/m.exec(groups)?.[1] ?? '/';
}

/** Words before a command that make it run limited, in the same process. Pure. */
export function systemdPrefix(manager: 'user' | 'system', { cpus, memoryMiB }: Limits, name: string): string[] {
  return [
    ...['systemd-run', ...(manager === 'user' ? ['--user'] : []), '--scope', '--quiet', '--collect', `--unit=${name}`],
    ...(memoryMiB === undefined ? [] : ['-p', `MemoryMax=${memoryMiB}M`, '-p', 'MemorySwapMax=0']),
    ...(cpus === undefined ? [] : ['-p', `CPUQuota=${Math.round(cpus * 100)}%`]),
    '--',
  ];
}

/** Words before a command that make it join the group whose folder is the next word. */
export const joinGroup = (folder: string): string[] => [
  ...['/bin/sh', '-c', 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"', 'sh', folder],
];

/** Makes a group with these limits. */
export async function makeGroup(folder: string, { cpus, memoryMiB }: Limits): Promise<void> {
  await mkdir(folder);
  const file = (name: string): string => path.join(folder, name);
  if (memoryMiB !== undefined) {
    await writeFile(file('memory.max'), String(memoryMiB * 2 ** 20));
    // Not there when the kernel has no swap accounting.
    await writeFile(file('memory.swap.max'), '0', { flag: 'r+' }).catch(() => undefined);
  }
  if (cpus !== undefined) await writeFile(file('cpu.max'), `${Math.round(cpus * PERIOD_US)} ${PERIOD_US}`);
}

/** Removes a group whose processes have ended; one that was removed already is no failure. */
export async function removeGroup(folder: string): Promise<void> {
  for (const until = Date.now() + REMOVAL_MS; Date.now() < until; await sleep(50)) {
    const gone = await rmdir(folder).then(
      () => true,
      (error: NodeJS.ErrnoException) => error.code === 'ENOENT',
    );
    if (gone) return;
  }
}

async function systemdLimits(manager: 'user' | 'system', mount: string): Promise<boolean> {
  const name = `evalsaga-trial-${randomBytes(6).toString('hex')}`;
  const [command = '', ...words] = systemdPrefix(manager, { cpus: 1, memoryMiB: 512 }, name);
  const look = 'group=$0$(sed -n "s/^0:://p" /proc/self/cgroup); cat "$group/memory.max" "$group/cpu.max"';
  const trial = await execa(command, [...words, '/bin/sh', '-c', look, mount], {
    reject: false,
    stdin: 'ignore',
    timeout: TRIAL_MS,
  });
  return !trial.failed && trial.stdout === `${512 * 2 ** 20}\n${PERIOD_US} ${PERIOD_US}`;
}

async function groupsCanBeMade(folder: string): Promise<boolean> {
  const child = path.join(folder, `evalsaga-trial-${randomBytes(6).toString('hex')}`);
  try {
    const enabled = (await readFile(path.join(folder, 'cgroup.subtree_control'), 'utf8')).trim().split(/\s+/);
    const wanted = CONTROLLERS.filter((name) => !enabled.includes(name));
    if (wanted.length > 0)
      await writeFile(path.join(folder, 'cgroup.subtree_control'), wanted.map((name) => `+${name}`).join(' '));
    await makeGroup(child, { cpus: 1, memoryMiB: 512 });
    const [command = '', ...words] = [...joinGroup(child), 'true'];
    return !(await execa(command, words, { reject: false, timeout: TRIAL_MS })).failed;
  } catch {
    return false;
  } finally {
    await removeGroup(child);
  }
}

const text = (file: string): Promise<string> => readFile(file, 'utf8').catch(() => '');
