import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../src/support/ports';

export interface ChildServer {
  readonly port: number;
  isOver(): boolean;
  /** Kills it and all processes that it has started. */
  end(): Promise<void>;
}

export interface ChildServerOptions {
  readonly command: (port: number) => readonly [file: string, ...args: string[]];
  readonly env?: NodeJS.ProcessEnv;
  /** Asked until it is true; a rejection counts as false. `output`: what the server has printed, at most its last 10,000 characters. */
  readonly answers: (port: number, output: string) => boolean | Promise<boolean>;
}

const limitMs = 250_000;
const maxStarts = 5;

/**
 * Starts a server that ends with this process, however that ends, and waits until it answers. Starts it again on another port if it
 * ends before: it binds its port seconds after that was found to be free, and another process may have taken it meanwhile.
 */
export async function startChildServer({ command, env, answers }: ChildServerOptions): Promise<ChildServer> {
  const taken: number[] = [];
  for (;;) {
    const port = await freePort([], taken);
    const [file, ...args] = command(port);
    const { output, ...server } = launch(file, args, env);
    const deadline = Date.now() + limitMs;
    const isUp = async (): Promise<boolean> => {
      try {
        return await answers(port, output());
      } catch {
        return false;
      }
    };
    while (!server.isOver() && !(await isUp())) {
      if (Date.now() > deadline) {
        await server.end();
        throw new Error(`${file} did not answer within ${limitMs} ms:\n${output()}`);
      }
      await sleep(100);
    }
    if (!server.isOver()) return { port, ...server };
    await server.end();
    taken.push(port);
    if (taken.length === maxStarts) throw new Error(`${file} ended at each of ${maxStarts} starts:\n${output()}`);
  }
}

/** Kills its process group as soon as file descriptor 3 is closed; this process has the other end. */
const ending = '{ read -r <&3; kill -KILL 0; } >/dev/null 2>&1 & exec "$0" "$@" 3<&-';

function launch(
  file: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Omit<ChildServer, 'port'> & { output: () => string } {
  const child = spawn('bash', ['-c', ending, file, ...args], {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    detached: true,
  });
  let output = '';
  let isOver = false;
  const over = once(child, 'exit').finally(() => (isOver = true));
  over.catch(() => undefined);
  const [, stdout, stderr, held] = child.stdio as unknown as readonly [null, Socket, Socket, Socket];
  for (const stream of [stdout, stderr])
    stream.setEncoding('utf8').on('data', (chunk: string) => (output = (output + chunk).slice(-10_000)));
  // A test that fails before it ends the server must not keep Jest from ending.
  for (const one of [child, stdout, stderr, held]) one.unref();
  return {
    output: () => output,
    isOver: () => isOver,
    async end() {
      child.ref();
      held.destroy();
      await over;
    },
  };
}
