import { constants } from 'node:os';
import { open } from 'node:fs/promises';
import type { RuntimeNote, Termination } from '../../runtime';
import type { UnitStatus } from './unit';

/** How many bytes of a log are searched for its last lines. */
const TAIL_BYTES = 16_384;
const MAX_CHARACTERS = 1_000;

/** Describes how a command ended. Pure. */
export function describeEnd(status: UnitStatus): string {
  switch (status.kind) {
    case 'ended':
      return status.outOfMemory ? describeOutOfMemory(status.code) : describeExit(status.code);
    case 'lost':
      return 'killed together with its supervisor (SIGKILL), or this machine was restarted';
    case 'absent':
      return 'never started';
    case 'running':
      return 'still running';
  }
}

function describeExit(code: number): string {
  if (code === 127) return 'exit code 127 (command not found)';
  if (code <= 128) return `exit code ${code}`;
  const name = Object.entries(constants.signals).find(([, number]) => number === code - 128)?.[0];
  if (name === 'SIGKILL') return 'killed by SIGKILL (exit code 137), as the system does when memory runs out';
  return name ? `ended by ${name} (exit code ${code})` : `exit code ${code}`;
}

const SIGKILL_EXIT_CODE = 137;

function describeOutOfMemory(code: number): string {
  return code === SIGKILL_EXIT_CODE
    ? 'OOMKilled (exit code 137): it needed more memory than its limit allows'
    : `OOMKilled (exit code ${code}): one of its processes was killed because together they exceeded the memory limit`;
}

/** Returns how a unit ended as a replica's termination. Pure. */
export function terminationOf(status: UnitStatus, now: number): Termination | undefined {
  switch (status.kind) {
    case 'ended':
      return { exitCode: status.code, reason: status.outOfMemory ? 'OOMKilled' : 'Error', finishedAt: status.at };
    case 'lost':
      return { exitCode: SIGKILL_EXIT_CODE, reason: 'Error', finishedAt: now };
    case 'absent':
    case 'running':
      return undefined;
  }
}

/** Returns the event of a unit that exceeded its memory limit. `detail` describes its limits. Pure. */
export function outOfMemoryNote(status: UnitStatus, detail: string): RuntimeNote | undefined {
  if (status.kind !== 'ended' || !status.outOfMemory) return undefined;
  const at = new Date(status.at).toISOString();
  return { type: 'Warning', reason: 'OOMKilled', message: `exit code ${status.code} at ${at}; ${detail}` };
}

/** Prefix of lines that the platform adds to a log, to distinguish them from the output of the process. */
export const PLATFORM_LINE_PREFIX = '[local platform] ';

/** Returns the last `count` lines of a log that are neither blank nor the platform's own; empty if there are none. */
export async function lastLines(file: string, count: number): Promise<string> {
  const handle = await open(file).catch(() => undefined);
  if (!handle) return '';
  try {
    const { size } = await handle.stat();
    const start = Math.max(0, size - TAIL_BYTES);
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(TAIL_BYTES), 0, TAIL_BYTES, start);
    const lines = buffer
      .subarray(0, bytesRead)
      .toString('utf8')
      .split(/[\r\n]+/);
    const output = lines
      .map((line) => line.trimEnd())
      .filter((line) => line.trim() !== '' && !line.startsWith(PLATFORM_LINE_PREFIX));
    return output.slice(-count).join('\n').slice(-MAX_CHARACTERS);
  } finally {
    await handle.close();
  }
}
