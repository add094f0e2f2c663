/** Starts a cluster, prints its address, and stops it when stdin ends or a signal asks for it. For `npm run bench -- --cluster`. */
import { builtCluster, howToBuild } from './binaries';
import { startCluster } from './cluster';
import { stopSignals } from './stop-signals';

async function serve(): Promise<void> {
  const built = builtCluster();
  if (!built) throw new Error(howToBuild);
  const { signal } = stopSignals();
  const cluster = await startCluster(built);
  console.log(cluster.address);
  await new Promise<void>((resolve) => {
    process.stdin.resume().once('end', resolve);
    signal.addEventListener('abort', () => resolve());
    if (signal.aborted) resolve();
  });
  await cluster.close();
}

serve().then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
