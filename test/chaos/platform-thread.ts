import { mkdir } from 'node:fs/promises';
import { parentPort } from 'node:worker_threads';
import { homePaths } from '../../src/home/paths';
import type { PlatformAccess } from '../../src/lepton/types';
import { startSimulated, type SimulatedPlan, type SimulatedPlatform } from '../support/simulated';

/** The thread that runs all platforms of a test bed, with its own clock and off the main thread. */

export type ToThread =
  | { readonly kind: 'open'; readonly id: number; readonly root: string; readonly plan: SimulatedPlan }
  | { readonly kind: 'close'; readonly id: number };

export type FromThread =
  | { readonly kind: 'opened'; readonly id: number; readonly access: PlatformAccess }
  | { readonly kind: 'closed'; readonly id: number }
  | { readonly kind: 'failed'; readonly id: number; readonly message: string };

const platforms = new Map<number, SimulatedPlatform>();

async function answer(request: ToThread): Promise<FromThread> {
  const { id } = request;
  switch (request.kind) {
    case 'open': {
      await mkdir(request.root, { recursive: true });
      const platform = await startSimulated(homePaths({ EVALSAGA_HOME: request.root }), request.plan);
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

parentPort?.on('message', (request: ToThread) => {
  void answer(request)
    .catch((error: unknown): FromThread => ({ kind: 'failed', id: request.id, message: String(error) }))
    .then((reply) => parentPort?.postMessage(reply));
});
