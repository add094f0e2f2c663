import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readSync, renameSync, statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../support/error-message';
import { InfrastructureError } from '../temporal/infrastructure-error';
import { processIdentity } from '../support/process-identity';
import type { ServiceRecord } from './record';

/** A log longer than this is moved to `<name>.log.1` when its process starts anew. */
const LOG_BYTES = 10 * 1024 * 1024;

export interface BackgroundCommand {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Absolute path; appended to, mode 0600. */
  readonly log: string;
  /** What it writes is nobody else's to read. */
  readonly isPrivate?: boolean;
}

/**
 * Starts a process that outlives this one: own session (no terminal, no Ctrl-C), no stdin, output into its log.
 * Throws `InfrastructureError` when it cannot be started at all.
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

/** Without the stack that Go or Node prints after a message, which would push the message out. Pure. */
export const withoutStack = (log: string): string =>
  log.replace(/\n+goroutine \d+ [^]*$/, '').replace(/\n\s+at [^\n]*/g, '');

/** The last lines of a log as lines of an error message; none when nothing was written. */
export const endOfLog = (log: string): readonly string[] => [lastLines(log)].filter((text) => text !== '');

/** The last lines of a log, for an error message; bounded in memory. */
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
 * Ends the process: SIGTERM, then SIGKILL when it is still there after `graceMs`. Does nothing when the pid belongs to
 * another process by now. Resolves once it is gone.
 */
export async function endProcess(record: Pick<ServiceRecord, 'pid' | 'identity'>, graceMs: number): Promise<void> {
  const lives = (): boolean => processIdentity(record.pid) === record.identity;
  const send = (signal: NodeJS.Signals): void => {
    try {
      if (lives()) process.kill(record.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  };
  send('SIGTERM');
  const deadline = Date.now() + graceMs;
  while (lives() && Date.now() < deadline) await sleep(50);
  send('SIGKILL');
  while (lives()) await sleep(50);
}
