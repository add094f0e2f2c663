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
 * A unit is a command with all its processes: a process group in a session of its own, so that it outlives the platform
 * process, under a small supervisor that records how it ended. Processes that leave the group are recognised by a mark in
 * their environment. The unit's folder holds what is needed to find it again.
 */
export interface UnitCommand {
  /** The unit's own folder: an absolute path, unique for each start. */
  readonly folder: string;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Output of the command is appended here. */
  readonly log: string;
}

/** How a unit's limits are enforced. */
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
   * `code` as a shell reports it: 128 + the signal's number if a signal ended it. `at`: milliseconds since the epoch.
   * `outOfMemory`: the memory limit killed the command or one of its processes.
   */
  | { readonly kind: 'ended'; readonly code: number; readonly at: number; readonly outOfMemory: boolean }
  /** The supervisor ended without recording an exit: it was killed with SIGKILL, or the machine was restarted. */
  | { readonly kind: 'lost' };

const POLL_MS = 150;
/** How long killed processes may take to disappear: their parent, possibly init, must wait for them first. */
const KILL_TIMEOUT_MS = 5_000;

/** Starts the command. Resolves to its process group once the unit can be found again by its folder. */
export async function launchUnit(
  { folder, command, env, cwd, log }: UnitCommand,
  confinement?: Confinement,
): Promise<number> {
  const output = await open(log, 'a', 0o600);
  const supervised = ['/bin/sh', path.join(__dirname, 'supervise.sh'), folder, ...command];
  const [program = '', ...words] = [...(confinement?.prefix ?? []), ...supervised];
  const exited = new AbortController();
  let group: number;
  try {
    const child = spawn(program, words, {
      cwd,
      env: { ...env, ...confinement?.env, [UNIT_VARIABLE]: folder },
      detached: true,
      stdio: ['ignore', output.fd, output.fd],
    });
    child.once('exit', () => exited.abort());
    await once(child, 'spawn');
    child.unref();
    group = child.pid ?? NaN;
  } finally {
    await output.close();
  }
  for (;;) {
    // Checked before the status, so that whatever was written before the exit is seen.
    const hasExited = exited.signal.aborted;
    if ((await unitStatus(folder)).kind !== 'absent') return group;
    if (hasExited) throw new Error(`${program} could not start the command; see the log for the reason.`);
    await sleep(10);
  }
}

/** Creates an empty folder for a unit that is about to start. */
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
  // It may have ended between the two checks.
  return (await exitOf(folder)) ?? { kind: 'lost' };
}

/** Resolves when the unit no longer runs; rejects if `signal` aborts first. */
export async function waitForUnitEnd(folder: string, signal: AbortSignal): Promise<UnitStatus> {
  for (;;) {
    const status = await unitStatus(folder);
    if (status.kind !== 'running') return status;
    await sleep(POLL_MS, undefined, { signal });
  }
}

/** Ends all processes of the unit, even those that left the group: SIGTERM, then SIGKILL after `graceMs`. */
export async function endUnit(folder: string, graceMs: number): Promise<void> {
  const status = await unitStatus(folder);
  // After the unit has ended, its group number may have been reused.
  const group = status.kind === 'running' ? status.pid : undefined;
  const unit = { folder, group };
  const seen = new Set<number>();
  signalProcesses(await runningMembers(unit, seen), 'SIGTERM');
  for (const until = Date.now() + graceMs; Date.now() < until; await sleep(50))
    if ((await runningMembers(unit, seen)).length === 0) break;
  await killMembers(unit, seen);
  await cleanUp(folder);
}

/**
 * Kills what an ended command left running. `group` only if it ended just now: later the number may have been reused.
 */
export async function killRemainingOf(folder: string, group: number | undefined): Promise<void> {
  await killMembers({ folder, group });
  await cleanUp(folder);
}

interface UnitMembers {
  readonly folder: string;
  readonly group: number | undefined;
}

/** Repeats until none is left: a process may be created between the listing and the signal. */
async function killMembers(unit: UnitMembers, seen = new Set<number>()): Promise<void> {
  for (const until = Date.now() + KILL_TIMEOUT_MS; Date.now() < until; await sleep(50)) {
    const left = await runningMembers(unit, seen);
    if (left.length === 0) break;
    signalProcesses(left, 'SIGKILL');
  }
  for (const until = Date.now() + KILL_TIMEOUT_MS; Date.now() < until; await sleep(20))
    if ((await processesOf(unit, seen)).length === 0) return;
}

/** Returns those that still run. Adds all to `seen`: a process that has ended no longer shows its mark. */
async function runningMembers(unit: UnitMembers, seen: Set<number>): Promise<ProcessRow[]> {
  const members = await processesOf(unit, seen);
  for (const { pid } of members) seen.add(pid);
  return members.filter(({ isZombie }) => !isZombie);
}

async function cleanUp(folder: string): Promise<void> {
  const group = await controlGroupOf(folder);
  if (group !== undefined) await removeGroup(group);
}

/** Returns the folder of the unit's control group; `undefined` if it is not limited. */
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

/** A pid may have been reused; the supervisor of this folder is recognised by its arguments. */
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
