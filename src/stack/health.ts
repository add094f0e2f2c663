import { setTimeout as sleep } from 'node:timers/promises';
import type { HomePaths } from '../home/paths';
import { InfrastructureError } from '../temporal/infrastructure-error';
import { endOfLog } from './background-process';
import { databaseAdvice } from './database-advice';
import { databaseFault } from './database';
import { isRunning, logFile, type ServiceName, type ServiceRecord } from './record';

/** Resolves when the URL answers 2xx. Throws `InfrastructureError` if it has not done so after `withinMs`. */
export async function untilHealthy(
  url: string,
  { withinMs, signal }: { withinMs: number; signal: AbortSignal | undefined },
): Promise<void> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    signal?.throwIfAborted();
    if (await answers(url)) return;
    if (Date.now() > deadline) throw new InfrastructureError(`The background process does not answer at ${url}.`);
    await sleep(50);
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

export interface WatchedService {
  readonly name: ServiceName;
  readonly home: HomePaths;
  /** `undefined`: it is not a process of this home, and nothing is watched. */
  readonly record: ServiceRecord | undefined;
}

/** Waits for `wait`, but rejects with the end of the process's log as soon as the process has ended. */
export async function whileAlive<T>(watched: WatchedService, wait: Promise<T>): Promise<T> {
  const done = new AbortController();
  try {
    return await Promise.race([wait, untilDead(watched, done.signal)]);
  } finally {
    done.abort();
  }
}

async function untilDead({ name, home, record }: WatchedService, signal: AbortSignal): Promise<never> {
  do await sleep(200, undefined, { signal });
  while (record === undefined || isRunning(record));
  const fault = name === 'temporal' ? await databaseFault(home) : undefined;
  throw new InfrastructureError(fault === undefined ? describeDeath(name, home) : await databaseAdvice(home, fault));
}

/** Returns the error message for a background process that has ended. */
export function describeDeath(name: ServiceName, home: HomePaths): string {
  const log = logFile(home, name);
  return [`The background process "${name}" has ended.`, ...endOfLog(log), `Its log: ${log}`].join('\n');
}
