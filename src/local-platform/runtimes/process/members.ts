import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { listProcesses, membersOf, type ProcessRow } from './process-table';

/** Variable that every process of a unit inherits, with the unit's folder. */
export const UNIT_VARIABLE = 'EVALSAGA_UNIT';

/**
 * Lists all processes of a unit. `group` is its process group, given only while the number is certainly still its own.
 * `seen` are pids found a moment ago.
 */
export async function processesOf(
  unit: { readonly folder: string; readonly group: number | undefined },
  seen: ReadonlySet<number>,
): Promise<ProcessRow[]> {
  const [rows, known] = await Promise.all([
    listProcesses(`${UNIT_VARIABLE}=${unit.folder}`),
    controlGroupProcesses(unit.folder),
  ]);
  return membersOf(rows, { group: unit.group, known: new Set([...known, ...seen]) });
}

export function signalProcesses(processes: readonly ProcessRow[], signal: NodeJS.Signals): void {
  for (const { pid } of processes) {
    try {
      process.kill(pid, signal);
    } catch {
      // It has ended meanwhile.
    }
  }
}

/** Lists the processes of the unit's control group, which a process can't leave without permission. */
async function controlGroupProcesses(folder: string): Promise<Set<number>> {
  const group = (await readFile(path.join(folder, 'cgroup'), 'utf8').catch(() => '')).trim();
  const text = group ? await readFile(path.join(group, 'cgroup.procs'), 'utf8').catch(() => '') : '';
  return new Set(text.split('\n').flatMap((line) => (line === '' ? [] : [Number(line)])));
}
