import { constants } from 'node:os';
import { open } from 'node:fs/promises';
import type { RuntimeNote, Termination } from '../../runtime';
import type { UnitStatus } from './unit';

/** Bytes of a log that are looked at for its last lines. */
const TAIL_BYTES = 16_384;
const MOST_CHARACTERS = 1_000;

/** How a command ended, in words. Pure. */
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

const OUT_OF_MEMORY = 137;

function describeOutOfMemory(code: number): string {
  return code === OUT_OF_MEMORY
    ? 'OOMKilled (exit code 137): it wanted more memory than its limit'
    : `OOMKilled (exit code ${code}): one of its processes wanted more memory than the limit of all`;
}

/** How a unit ended, as a replica's termination. Pure. */
export function terminationOf(status: UnitStatus, now: number): Termination | undefined {
  switch (status.kind) {
    case 'ended':
      return { exitCode: status.code, reason: status.outOfMemory ? 'OOMKilled' : 'Error', finishedAt: status.at };
    case 'lost':
      return { exitCode: OUT_OF_MEMORY, reason: 'Error', finishedAt: now };
    case 'absent':
    case 'running':
      return undefined;
  }
}

/** The event of a unit whose memory limit ended it. `detail`: its limits. Pure. */
export function outOfMemoryNote(status: UnitStatus, detail: string): RuntimeNote | undefined {
  if (status.kind !== 'ended' || !status.outOfMemory) return undefined;
  const at = new Date(status.at).toISOString();
  return { type: 'Warning', reason: 'OOMKilled', message: `exit code ${status.code} at ${at}; ${detail}` };
}

/** What this platform adds to a log begins so: no words of what runs. */
export const OWN_LINE = '[local platform] ';

/** The last `count` lines of a log that hold anything and are not this platform's; empty when it has none. */
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
    const told = lines.map((line) => line.trimEnd()).filter((line) => line.trim() !== '' && !line.startsWith(OWN_LINE));
    return told.slice(-count).join('\n').slice(-MOST_CHARACTERS);
  } finally {
    await handle.close();
  }
}
