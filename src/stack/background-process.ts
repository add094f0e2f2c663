import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readSync, renameSync, statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../support/error-message';
import { InfrastructureError } from '../temporal/infrastructure-error';
import { processIdentity } from '../support/process-identity';
import type { ServiceRecord } from './record';

/** Bytes; a longer log is renamed to `<name>.log.1` when its process is started again. */
const LOG_BYTES = 10 * 1024 * 1024;

export interface BackgroundCommand {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Absolute path; appended to, mode 0600. */
  readonly log: string;
  /** Whether files that it creates are readable for their owner only. */
  readonly isPrivate?: boolean;
}

/**
 * Starts a process that outlives this one: in its own session (no terminal, no Ctrl-C), without stdin, its output appended to its
 * log. Throws `InfrastructureError` if it can't be started.
 */
export async function startInBackground(command: BackgroundCommand): Promise<Pick<ServiceRecord, 'pid' | 'identity'>> {
  mkdirSync(path.dirname(command.log), { recursive: true, mode: 0o700 });
  rotate(command.log);
  const log = openSync(command.log, 'a', 0o600);
  const umask = command.isPrivate ? process.umask(0o077) : process.umask();
  try {
    const child = spawn(command.file, [...command.args], {
      cwd: command.cwd,
      env: { ...command.env },
      detached: true,
      stdio: ['ignore', log, log],
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    child.unref();
    const identity = child.pid === undefined ? undefined : processIdentity(child.pid);
    if (child.pid === undefined || identity === undefined) throw new Error('it ended at once');
    return { pid: child.pid, identity };
  } catch (error) {
    const seen = messageOf(error);
    throw new InfrastructureError(
      [`${command.file} could not be started: ${seen}.`, ...endOfLog(command.log), `Its log: ${command.log}`].join(
        '\n',
      ),
      { cause: error },
    );
  } finally {
    process.umask(umask);
    closeSync(log);
  }
}

function rotate(log: string): void {
  const size = statSync(log, { throwIfNoEntry: false })?.size ?? 0;
  if (size > LOG_BYTES) renameSync(log, `${log}.1`);
}

/** Removes the stack traces of Go and Node, which would push their message out of the last lines. Pure. */
export const withoutStack = (log: string): string =>
  log.replace(/\n+goroutine \d+ [^]*$/, '').replace(/\n\s+at [^\n]*/g, '');

/** Returns the last lines of a log as one part of an error message; no part if the log is empty. */
export const endOfLog = (log: string): readonly string[] => [lastLines(log)].filter((text) => text !== '');

/** Returns the last `count` lines of a log, from its last 16 KiB; empty if it can't be read. */
export function lastLines(log: string, count = 5): string {
  try {
    const size = statSync(log).size;
    const buffer = Buffer.alloc(Math.min(size, 16 * 1024));
    const file = openSync(log, 'r');
    try {
      readSync(file, buffer, 0, buffer.length, size - buffer.length);
    } finally {
      closeSync(file);
    }
    return withoutStack(buffer.toString('utf8')).trimEnd().split('\n').slice(-count).join('\n');
  } catch {
    return '';
  }
}

/**
 * Ends a process: SIGTERM, and SIGKILL if it still exists after `graceMs`. Does nothing if the pid is another process's by now.
 * Resolves when the process has ended.
 */
export async function endProcess(record: Pick<ServiceRecord, 'pid' | 'identity'>, graceMs: number): Promise<void> {
  const exists = (): boolean => processIdentity(record.pid) === record.identity;
  const send = (signal: NodeJS.Signals): void => {
    try {
      if (exists()) process.kill(record.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  };
  send('SIGTERM');
  const deadline = Date.now() + graceMs;
  while (exists() && Date.now() < deadline) await sleep(50);
  send('SIGKILL');
  while (exists()) await sleep(50);
}
