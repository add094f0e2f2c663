import { statSync, openSync, readSync, closeSync } from 'node:fs';
import type { HomePaths } from '../home/paths';
import { whileAlive } from './health';
import { isRunning, logFile, type ServiceName, type ServiceRecord } from './record';

/** Another process may take a port between the search for a free one and the start of the service. */
const ATTEMPTS = 4;

export interface FreePortStart<T> {
  readonly name: ServiceName;
  readonly home: HomePaths;
  /** Starts the service on free ports, none of them in `taken`. */
  readonly start: (taken: readonly number[]) => Promise<ServiceRecord>;
  /** Resolves when the service answers. */
  readonly answers: (record: ServiceRecord) => Promise<T>;
}

/**
 * Starts a service and waits until it answers. Starts it again on other ports if it ended because another process had taken one of
 * them: two homes that start at the same time both find Temporal's default port free. Throws `InfrastructureError` with the end of
 * its log if it ended for another reason.
 */
export async function startOnFreePorts<T>(
  service: FreePortStart<T>,
): Promise<{ readonly record: ServiceRecord; readonly answer: T }> {
  const { name, home, start, answers } = service;
  const log = logFile(home, name);
  for (let attempt = 1, taken: readonly number[] = []; ; attempt += 1) {
    const written = sizeOf(log);
    let record: ServiceRecord | undefined;
    try {
      // Throws if the service has ended before it could be recorded.
      record = await start(taken);
      return { record, answer: await whileAlive({ name, home, record }, answers(record)) };
    } catch (error) {
      const ports = Object.values(record?.ports ?? {});
      if (attempt === ATTEMPTS || isRunning(record) || !saysPortIsTaken(textAfter(log, written))) throw error;
      taken = [...taken, ...ports];
    }
  }
}

/** Whether a log contains Go's or Node's error for a port that is in use. Pure. */
export const saysPortIsTaken = (log: string): boolean => /address already in use|EADDRINUSE/.test(log);

const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0;

/** Returns what was appended since the file had this size, all of it if it was replaced; at most 64 KiB. */
function textAfter(file: string, before: number): string {
  const size = sizeOf(file);
  const from = size < before ? 0 : before;
  const buffer = Buffer.alloc(Math.min(size - from, 64 * 1024));
  if (buffer.length === 0) return '';
  const opened = openSync(file, 'r');
  try {
    return buffer.toString('utf8', 0, readSync(opened, buffer, 0, buffer.length, from));
  } finally {
    closeSync(opened);
  }
}
