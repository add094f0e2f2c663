import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

/** A process of this machine. */
export interface ProcessRow {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  /** Whether its environment contains the mark, as far as this user may read it. */
  readonly marked: boolean;
  /** It has ended, but its parent has not waited for it yet. */
  readonly isZombie: boolean;
}

/**
 * Lists all processes, and whether their environment contains the entry `mark` (`NAME=value`). Everything that a process
 * starts inherits it, even if it leaves the process group and the parent (`setsid`, a daemon). A program that overwrites
 * its environment, as some do to change their title, hides it.
 */
export async function listProcesses(mark: string): Promise<ProcessRow[]> {
  return process.platform === 'linux' ? linuxProcesses(mark) : otherProcesses(mark);
}

/**
 * Selects the processes of a unit: those that are marked, in its group (given while that is certainly its own) or in
 * `known`, and all their descendants. Never this process. Pure.
 */
export function membersOf(
  rows: readonly ProcessRow[],
  { group, known = new Set<number>() }: { group: number | undefined; known?: ReadonlySet<number> },
): ProcessRow[] {
  const members = new Map<number, ProcessRow>();
  const candidates = rows.filter(({ pid }) => pid !== process.pid && pid > 1);
  const add = (row: ProcessRow): void => void members.set(row.pid, row);
  candidates.filter((row) => row.marked || row.group === group || known.has(row.pid)).forEach(add);
  for (let before = -1; before !== members.size;) {
    before = members.size;
    candidates.filter(({ parent }) => members.has(parent)).forEach(add);
  }
  return [...members.values()];
}

async function linuxProcesses(mark: string): Promise<ProcessRow[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const rows = await Promise.all(pids.map((pid) => linuxProcess(pid, mark)));
  return rows.flatMap((row) => row ?? []);
}

async function linuxProcess(pid: string, mark: string): Promise<ProcessRow | undefined> {
  const [stat, environ] = await Promise.all([
    readFile(`/proc/${pid}/stat`, 'latin1').catch(() => ''),
    // Another user's process, or one that has ended.
    readFile(`/proc/${pid}/environ`, 'utf8').catch(() => ''),
  ]);
  // The name (field 2) may contain spaces and parentheses. It is followed by state, parent and group.
  const [state = 'X', parent, group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (stat === '' || state === 'X') return undefined;
  return {
    pid: Number(pid),
    parent: Number(parent),
    group: Number(group),
    marked: environ.split('\0').includes(mark),
    isZombie: state === 'Z',
  };
}

/** Uses the `ps` of macOS and BSD, whose `-E` adds the environment to the command. */
async function otherProcesses(mark: string): Promise<ProcessRow[]> {
  const { stdout } = await promisify(execFile)('ps', ['-Aww', '-E', '-o', 'pid=,ppid=,pgid=,stat=,command='], {
    maxBuffer: 64 * 1024 * 1024,
  }).catch(() => ({ stdout: '' }));
  return stdout.split('\n').flatMap((line) => readPsLine(line, mark) ?? []);
}

/** Parses a line of `ps -o pid=,ppid=,pgid=,stat=,command=`. Pure. */
export function readPsLine(line: string, mark: string): ProcessRow | undefined {
  const [, pid, parent, group, state = '', command = ''] = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s*(.*)$/.exec(line) ?? [];
  if (pid === undefined) return undefined;
  return {
    pid: Number(pid),
    parent: Number(parent),
    group: Number(group),
    marked: ` ${command} `.includes(` ${mark} `),
    isZombie: state.startsWith('Z'),
  };
}
