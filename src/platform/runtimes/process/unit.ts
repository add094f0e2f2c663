import { execFile, spawn } from 'node:child_process';
import { mkdir, open, readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

/**
 * A unit is a command with all its processes: one process group in a session of its own, so that it outlives the platform
 * process, under a small supervisor that records how it ended. Its folder holds what is needed to find it again.
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

export type UnitStatus =
  | { readonly kind: 'absent' }
  | { readonly kind: 'running'; readonly pid: number }
  /** `code` as a shell tells it: 128 + signal for one that a signal ended. `at`: milliseconds since the epoch. */
  | { readonly kind: 'ended'; readonly code: number; readonly at: number }
  /** The supervisor is gone too: killed with SIGKILL, or the machine was restarted. */
  | { readonly kind: 'lost' };

const POLL_MS = 150;
/** How long a killed group may take to disappear. */
const KILLED_MS = 5_000;

/** Starts the command. Resolves, with the number of its process group, once the unit can be found again by its folder. */
export async function launchUnit({ folder, command, env, cwd, log }: UnitCommand): Promise<number> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const output = await open(log, 'a', 0o600);
  let group: number;
  try {
    const child = spawn('/bin/sh', [path.join(__dirname, 'supervise.sh'), folder, ...command], {
      cwd,
      env: { ...env },
      detached: true,
      stdio: ['ignore', output.fd, output.fd],
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    child.unref();
    group = child.pid ?? NaN;
  } finally {
    await output.close();
  }
  while ((await unitStatus(folder)).kind === 'absent') await sleep(10);
  return group;
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

/** Ends every process of the unit: SIGTERM, and SIGKILL for those that are there after `graceMs`. */
export async function endUnit(folder: string, graceMs: number): Promise<void> {
  const status = await unitStatus(folder);
  if (status.kind !== 'running') return;
  signalGroup(status.pid, 'SIGTERM');
  if (await groupGone(status.pid, graceMs)) return;
  signalGroup(status.pid, 'SIGKILL');
  await groupGone(status.pid, KILLED_MS);
}

/** Ends what a command that is over left running in its group. Only right after its end: later the number may be a stranger's. */
export async function sweepGroup(pid: number): Promise<void> {
  if (signalGroup(pid, 'SIGKILL')) await groupGone(pid, KILLED_MS);
}

async function exitOf(folder: string): Promise<UnitStatus | undefined> {
  const file = path.join(folder, 'exit');
  const text = await readFile(file, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : { kind: 'ended', code: Number(text), at: (await stat(file)).mtimeMs };
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

/** Whether there was anyone to signal. */
function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-pid, signal);
    return true;
  } catch {
    return false;
  }
}

async function groupGone(pid: number, withinMs: number): Promise<boolean> {
  for (const until = Date.now() + withinMs; Date.now() < until; await sleep(50)) {
    if (!signalGroup(pid, 0)) return true;
  }
  return !signalGroup(pid, 0);
}
