import { execa } from 'execa';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

/** The built program. */
export const program =
  process.env['EVALSAGA_TEST_PROGRAM'] ?? path.resolve(__dirname, '..', '..', 'dist', 'cli', 'main.js');

export interface Finished {
  /** `undefined`: it ended by a signal. */
  readonly code: number | undefined;
  readonly signal: string | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly pid: number;
  /** Resolves once stderr has it; rejects when the command ends without. */
  untilSaid(what: RegExp): Promise<RegExpExecArray>;
  /** The same for stdout. */
  untilPrinted(what: RegExp): Promise<RegExpExecArray>;
  /** Whether it was still alive. */
  signal(signal: NodeJS.Signals): boolean;
  isOver(): boolean;
  /** Ends it when it goes on for longer; resolves to whether it had to. */
  endWithin(ms: number): Promise<boolean>;
  readonly finished: Promise<Finished>;
}

/** Runs it as users do, as a process of its own; it ends with this one. */
export function startProgram(
  args: readonly string[],
  { cwd, env }: { cwd: string; env: Record<string, string> },
): Running {
  const child = execa(process.execPath, [program, ...args], {
    cwd,
    env,
    extendEnv: false,
    reject: false,
    // A SIGTERM is a SIGTERM: how long an end may take is the test's to say.
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
    untilSaid: heard(child.stderr, finished),
    untilPrinted: heard(child.stdout, finished),
    async endWithin(ms) {
      const patience = new AbortController();
      const given = sleep(ms, 'given up' as const, { signal: patience.signal }).catch(() => 'over' as const);
      const result = await Promise.race([finished.then(() => 'over' as const), given]);
      patience.abort();
      if (result === 'given up') child.kill('SIGKILL');
      return result === 'given up';
    },
  };
}

/** Waits for what comes from a stream, or has come. */
function heard(stream: Readable, finished: Promise<Finished>): Running['untilSaid'] {
  let text = '';
  stream.setEncoding('utf8').on('data', (piece: string) => (text += piece));
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

/** This process' own, without what would lead a command to somebody else's Temporal, platform or home. */
export function bareEnvironment(): Record<string, string> {
  const kept = Object.entries(process.env).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && !/^(LEPTON_|TEMPORAL_|EVALSAGA_|npm_|INIT_CWD|CI$)/.test(entry[0]),
  );
  return Object.fromEntries(kept);
}
