import { setTimeout as sleep } from 'node:timers/promises';
import type { MortalServer } from '../chaos/process-test-bed';
import type { Binaries } from './binaries';
import { startCluster } from './cluster';

/** Long enough for calls and database connections to fail, not only to be opened again. */
const awayMs = 3_000;

/** How long everything must have run before something is killed again, or a case proves nothing. */
const settledMs = 1_500;

/** Starts a cluster for cases of chaos that kill its server or its database, one after the other. */
export async function mortalCluster(binaries: Binaries): Promise<MortalServer> {
  const cluster = await startCluster(binaries);
  const parts = {
    server: { kill: () => cluster.killServer(), start: () => cluster.startServer() },
    database: { kill: () => cluster.database.kill(), start: () => cluster.database.start() },
  };
  /** Resolves when everything runs again. */
  let whole: Promise<void> = Promise.resolve();
  return {
    address: cluster.address,
    isEmbedded: false,
    kill(what, forMs = awayMs) {
      const { kill, start } = parts[what];
      const dead = whole.then(kill);
      whole = dead
        .then(() => sleep(forMs))
        .then(start)
        .then(() => sleep(settledMs));
      // Whoever waits for it next is told.
      whole.catch(() => undefined);
      return dead;
    },
    async close() {
      await whole.finally(() => cluster.close());
    },
  };
}
