import { execa } from 'execa';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

/** Path of the built program. */
export const program =
  process.env['EVALSAGA_TEST_PROGRAM'] ?? path.resolve(__dirname, '..', '..', 'dist', 'cli', 'main.js');

export interface Finished {
  /** `undefined` if a signal ended it. */
  readonly code: number | undefined;
  readonly signal: string | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly pid: number;
  /** Resolves once stderr matches; rejects if the command ends without. */
  untilStderr(what: RegExp): Promise<RegExpExecArray>;
  /** Resolves once stdout matches; rejects if the command ends without. */
  untilStdout(what: RegExp): Promise<RegExpExecArray>;
  /** Sends a signal; returns whether the process was still alive. */
  signal(signal: NodeJS.Signals): boolean;
  isOver(): boolean;
  /** Kills it if it runs for longer; resolves to whether it had to. */
  endWithin(ms: number): Promise<boolean>;
  readonly finished: Promise<Finished>;
}

/** Runs the program as a process, as users do; it ends with this process. */
export function startProgram(
  args: readonly string[],
  { cwd, env }: { cwd: string; env: Record<string, string> },
): Running {
  const child = execa(process.execPath, [program, ...args], {
    cwd,
    env,
    extendEnv: false,
    reject: false,
    // No SIGKILL after a SIGTERM: each test decides how long the end may take.
    forceKillAfterDelay: false,
    stdin: 'ignore',
    stripFinalNewline: false,
  });
  let over = false;
  const finished = child.then(({ exitCode: code, signal, stdout, stderr }): Finished => {
    over = true;
    return { code, signal, stdout, stderr };
  });
  return {
    pid: child.pid ?? NaN,
    signal: (signal) => !over && child.kill(signal),
    isOver: () => over,
    finished,
    untilStderr: matchIn(child.stderr, finished),
    untilStdout: matchIn(child.stdout, finished),
    async endWithin(ms) {
      const timeout = new AbortController();
      const timedOut = sleep(ms, 'given up' as const, { signal: timeout.signal }).catch(() => 'over' as const);
      const result = await Promise.race([finished.then(() => 'over' as const), timedOut]);
      timeout.abort();
      if (result === 'given up') child.kill('SIGKILL');
      return result === 'given up';
    },
  };
}

/** Waits for a match in what a stream has produced or will produce. */
function matchIn(stream: Readable, finished: Promise<Finished>): Running['untilStderr'] {
  let text = '';
  stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  return (what) =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const match = what.exec(text);
        if (match) resolve(match);
      };
      stream.on('data', look);
      look();
      void finished.then(({ code }) => reject(new Error(`ended (${code}) without ${what}:\n${text}`)));
    });
}

/** Returns this process' environment without variables that refer to a Temporal server, platform or home. */
export function bareEnvironment(): Record<string, string> {
  const kept = Object.entries(process.env).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && !/^(LEPTON_|TEMPORAL_|EVALSAGA_|npm_|INIT_CWD|CI$)/.test(entry[0]),
  );
  return Object.fromEntries(kept);
}

/** Starts `evalsaga worker` in a process of its own, quiet but for errors. `address`: of Temporal. */
export function startWorkerProcess(options: {
  readonly home: { readonly root: string };
  readonly taskQueue: string;
  readonly address: string;
}): Running {
  const { home, taskQueue, address } = options;
  const settings = { EVALSAGA_TASK_QUEUE: taskQueue, EVALSAGA_LOG_LEVEL: 'error' };
  return startProgram(['worker'], {
    cwd: home.root,
    env: { ...bareEnvironment(), EVALSAGA_HOME: home.root, TEMPORAL_ADDRESS: address, ...settings },
  });
}
