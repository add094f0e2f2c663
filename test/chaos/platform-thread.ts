import { mkdir } from 'node:fs/promises';
import { parentPort } from 'node:worker_threads';
import { homePaths } from '../../src/home/paths';
import type { PlatformAccess } from '../../src/lepton/types';
import { startSimulated, type SimulatedPlan, type SimulatedPlatform } from '../support/simulated';

/** The thread that plays all platforms of a stand: with a clock of its own, and off the thread that everything else is on. */

export type ToThread =
  | { readonly kind: 'open'; readonly id: number; readonly root: string; readonly plan: SimulatedPlan }
  | { readonly kind: 'close'; readonly id: number };

export type FromThread =
  | { readonly kind: 'opened'; readonly id: number; readonly access: PlatformAccess }
  | { readonly kind: 'closed'; readonly id: number }
  | { readonly kind: 'failed'; readonly id: number; readonly message: string };

const platforms = new Map<number, SimulatedPlatform>();

async function answer(asked: ToThread): Promise<FromThread> {
  const { id } = asked;
  switch (asked.kind) {
    case 'open': {
      await mkdir(asked.root, { recursive: true });
      const platform = await startSimulated(homePaths({ EVALSAGA_HOME: asked.root }), asked.plan);
      platforms.set(id, platform);
      const { url, workspace, token } = platform;
      return { kind: 'opened', id, access: { url, workspace, token } };
    }
    case 'close':
      await platforms.get(id)?.close();
      platforms.delete(id);
      return { kind: 'closed', id };
  }
}

parentPort?.on('message', (asked: ToThread) => {
  void answer(asked)
    .catch((error: unknown): FromThread => ({ kind: 'failed', id: asked.id, message: String(error) }))
    .then((told) => parentPort?.postMessage(told));
});
