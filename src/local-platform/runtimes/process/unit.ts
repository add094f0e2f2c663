import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { processesOf, signalProcesses, UNIT_VARIABLE } from './members';
import type { ProcessRow } from './process-table';
import { removeGroup } from './limits/mechanism';

/**
 * A unit is a command with all its processes: one process group in a session of its own, so that it outlives the platform
 * process, under a small supervisor that records how it ended. What leaves the group is known by a mark in its environment.
 * The unit's folder holds what is needed to find it again.
 */
export interface UnitCommand {
  /** Absolute; the unit's own, unique for each start. */
  readonly folder: string;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Output of the command is appended here. */
  readonly log: string;
}

/** How a unit is made to keep to its limits. */
export interface Confinement {
  /** Words before the supervisor's command. */
  readonly prefix: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Where cgroup v2 is mounted. */
  readonly mount: string;
}

export type UnitStatus =
  | { readonly kind: 'absent' }
  | { readonly kind: 'running'; readonly pid: number }
  /**
   * `code` as a shell tells it: 128 + signal for one that a signal ended. `at`: milliseconds since the epoch. `outOfMemory`: the
   * memory limit killed the command or a process of it.
   */
  | { readonly kind: 'ended'; readonly code: number; readonly at: number; readonly outOfMemory: boolean }
  /** The supervisor is gone too: killed with SIGKILL, or the machine was restarted. */
  | { readonly kind: 'lost' };

const POLL_MS = 150;
/** How long killed processes may take to disappear: a parent, which may be the system's first process, asks how they ended. */
const KILLED_MS = 5_000;

/** Starts the command. Resolves, with the number of its process group, once the unit can be found again by its folder. */
export async function launchUnit(
  { folder, command, env, cwd, log }: UnitCommand,
  confinement?: Confinement,
): Promise<number> {
  const output = await open(log, 'a', 0o600);
  const supervised = ['/bin/sh', path.join(__dirname, 'supervise.sh'), folder, ...command];
  const [program = '', ...words] = [...(confinement?.prefix ?? []), ...supervised];
  const died = new AbortController();
  let group: number;
  try {
    const child = spawn(program, words, {
      cwd,
      env: { ...env, ...confinement?.env, [UNIT_VARIABLE]: folder },
      detached: true,
      stdio: ['ignore', output.fd, output.fd],
    });
    child.once('exit', () => died.abort());
    await once(child, 'spawn');
    child.unref();
    group = child.pid ?? NaN;
  } finally {
    await output.close();
  }
  for (;;) {
    // Asked before the look: what was left behind by then is seen by it.
    const over = died.signal.aborted;
    if ((await unitStatus(folder)).kind !== 'absent') return group;
    if (over) throw new Error(`${program} could not start the command; the log tells why.`);
    await sleep(10);
  }
}

/** An empty folder for a unit that is about to start. */
export async function prepareUnit(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true, mode: 0o700 });
}

export async function unitStatus(folder: string): Promise<UnitStatus> {
  const ended = await exitOf(folder);
  if (ended) return ended;
  const pid = Number(await readFile(path.join(folder, 'pid'), 'utf8').catch(() => 'NaN'));
  if (!Number.isInteger(pid)) return { kind: 'absent' };
  if (await isSupervisor(pid, folder)) return { kind: 'running', pid };
  // It may have ended between the two looks.
  return (await exitOf(folder)) ?? { kind: 'lost' };
}

/** Resolves when the unit runs no more; rejects when `signal` aborts first. */
export async function unitEnd(folder: string, signal: AbortSignal): Promise<UnitStatus> {
  for (;;) {
    const status = await unitStatus(folder);
    if (status.kind !== 'running') return status;
    await sleep(POLL_MS, undefined, { signal });
  }
}

/** Ends every process of the unit, wherever it went: SIGTERM, and SIGKILL for those that are there after `graceMs`. */
export async function endUnit(folder: string, graceMs: number): Promise<void> {
  const status = await unitStatus(folder);
  // Of a unit that is over the group's number may be a stranger's by now.
  const group = status.kind === 'running' ? status.pid : undefined;
  const unit = { folder, group };
  const seen = new Set<number>();
  signalProcesses(await living(unit, seen), 'SIGTERM');
  for (const until = Date.now() + graceMs; Date.now() < until; await sleep(50))
    if ((await living(unit, seen)).length === 0) break;
  await kill(unit, seen);
  await cleanUp(folder);
}

/** Ends what a command that is over left running. `group`: when the command ended just now; later it may be a stranger's. */
export async function sweepUnit(folder: string, group: number | undefined): Promise<void> {
  await kill({ folder, group });
  await cleanUp(folder);
}

interface Members {
  readonly folder: string;
  readonly group: number | undefined;
}

/** Again and again until none is left: one may be born between the look and the signal. */
async function kill(unit: Members, seen = new Set<number>()): Promise<void> {
  for (const until = Date.now() + KILLED_MS; Date.now() < until; await sleep(50)) {
    const left = await living(unit, seen);
    if (left.length === 0) break;
    signalProcesses(left, 'SIGKILL');
  }
  for (const until = Date.now() + KILLED_MS; Date.now() < until; await sleep(20))
    if ((await processesOf(unit, seen)).length === 0) return;
}

/** Those that still run; notes all in `seen`, so that they are known without the mark too, which goes when they end. */
async function living(unit: Members, seen: Set<number>): Promise<ProcessRow[]> {
  const members = await processesOf(unit, seen);
  for (const { pid } of members) seen.add(pid);
  return members.filter(({ isZombie }) => !isZombie);
}

async function cleanUp(folder: string): Promise<void> {
  const group = await controlGroupOf(folder);
  if (group !== undefined) await removeGroup(group);
}

/** Folder of the unit's control group, when it is limited. */
export async function controlGroupOf(folder: string): Promise<string | undefined> {
  const text = await readFile(path.join(folder, 'cgroup'), 'utf8').catch(() => '');
  return text.trim() || undefined;
}

async function exitOf(folder: string): Promise<UnitStatus | undefined> {
  const file = path.join(folder, 'exit');
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const outOfMemory = await readFile(path.join(folder, 'oom')).then(
    () => true,
    () => false,
  );
  return { kind: 'ended', code: Number(text), at: (await stat(file)).mtimeMs, outOfMemory };
}

/** A pid may have passed to another process; the supervisor of this folder is known by its arguments. */
async function isSupervisor(pid: number, folder: string): Promise<boolean> {
  if (process.platform === 'linux') {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    return command.split('\0').includes(folder);
  }
  const listed = await promisify(execFile)('ps', ['-ww', '-o', 'args=', '-p', String(pid)]).catch(() => ({
    stdout: '',
  }));
  return listed.stdout.includes(folder);
}
