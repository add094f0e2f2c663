import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { bootIdentity } from './machine-identity';

/**
 * Returns a text that no other process with this pid ever has: when it started and, on Linux, in which boot. A pid alone may
 * belong to a stranger by now. `undefined` if there is no such process, or only its remains (a zombie).
 */
export function processIdentity(pid: number): string | undefined {
  return process.platform === 'linux' ? linuxIdentity(pid) : psIdentity(pid);
}

function linuxIdentity(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command in parentheses may hold spaces and parentheses itself.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, threads, startTime] = [fields[0], Number(fields[17]), fields[19]];
    // The main thread of a process that is ending may be a zombie while others still hold its files and ports.
    const isRemains = state === 'X' || (state === 'Z' && threads <= 1);
    // Linux counts the start time from the boot.
    return isRemains || startTime === undefined ? undefined : `${bootIdentity()} ${startTime}`;
  } catch {
    return undefined;
  }
}

function psIdentity(pid: number): string | undefined {
  try {
    const listed = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      // The start time is printed in the local language and time zone.
      env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const [state, ...started] = listed.trim().split(/\s+/);
    return state === undefined || state === '' || state.startsWith('Z') ? undefined : started.join(' ');
  } catch {
    return undefined;
  }
}
