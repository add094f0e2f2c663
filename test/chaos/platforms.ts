import path from 'node:path';
import { Worker } from 'node:worker_threads';
import type { SimulatedPlan } from '../support/simulated';
import type { FromThread, ToThread } from './platform-thread';
import type { TestBedPlatform } from './test-bed';

/** Simulated platforms in a thread. */
export interface Platforms {
  open(folder: string, plan: SimulatedPlan): Promise<TestBedPlatform>;
  close(): Promise<void>;
}

const root = path.resolve(__dirname, '..', '..');

/** Starts the thread, with its clock shifted by `clockMs`. */
export function platformsInThread({ clockMs }: { readonly clockMs: number }): Platforms {
  const files = [
    path.join(__dirname, 'clock.cjs'),
    path.join(root, 'scripts', 'typescript.cjs'),
    path.join(__dirname, 'platform-thread.ts'),
  ];
  const thread = new Worker(files.map((file) => `require(${JSON.stringify(file)});`).join('\n'), {
    eval: true,
    execArgv: [],
    env: { ...process.env, EVALSAGA_CHAOS_CLOCK: String(clockMs) },
  });
  const waiting = new Map<number, { resolve: (reply: FromThread) => void; reject: (error: Error) => void }>();
  let last = 0;
  thread.on('message', (reply: FromThread) => {
    const request = waiting.get(reply.id);
    waiting.delete(reply.id);
    if (reply.kind === 'failed') request?.reject(new Error(reply.message));
    else request?.resolve(reply);
  });
  thread.on('error', (error) => waiting.forEach(({ reject }) => reject(error)));
  const ask = (message: ToThread): Promise<FromThread> =>
    new Promise((resolve, reject) => {
      waiting.set(message.id, { resolve, reject });
      thread.postMessage(message);
    });
  return {
    async open(folder, plan) {
      const id = (last += 1);
      const reply = await ask({ kind: 'open', id, root: path.join(folder, `platform-${id}`), plan });
      if (reply.kind !== 'opened') throw new Error(`the platform is ${reply.kind}`);
      return { access: reply.access, release: () => ask({ kind: 'close', id }).then(() => undefined) };
    },
    close: () => thread.terminate().then(() => undefined),
  };
}
