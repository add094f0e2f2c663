import path from 'node:path';
import { Worker } from 'node:worker_threads';
import type { SimulatedPlan } from '../support/simulated';
import type { FromThread, ToThread } from './platform-thread';
import type { StandPlatform } from './stand';

/** Simulated platforms, in a thread whose clock is `clockMs` off. */
export interface Platforms {
  open(folder: string, plan: SimulatedPlan): Promise<StandPlatform>;
  close(): Promise<void>;
}

const root = path.resolve(__dirname, '..', '..');

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
  const waiting = new Map<number, { resolve: (told: FromThread) => void; reject: (error: Error) => void }>();
  let last = 0;
  thread.on('message', (told: FromThread) => {
    const asked = waiting.get(told.id);
    waiting.delete(told.id);
    if (told.kind === 'failed') asked?.reject(new Error(told.message));
    else asked?.resolve(told);
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
      const told = await ask({ kind: 'open', id, root: path.join(folder, `platform-${id}`), plan });
      if (told.kind !== 'opened') throw new Error(`the platform is ${told.kind}`);
      return { access: told.access, release: () => ask({ kind: 'close', id }).then(() => undefined) };
    },
    close: () => thread.terminate().then(() => undefined),
  };
}
