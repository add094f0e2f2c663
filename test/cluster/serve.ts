/** Starts a cluster, prints its address, and stops it when stdin ends. For `npm run bench -- --cluster`. */
import { builtCluster, howToBuild } from './binaries';
import { startCluster } from './cluster';

async function serve(): Promise<void> {
  const built = builtCluster();
  if (!built) throw new Error(howToBuild);
  const cluster = await startCluster(built);
  console.log(cluster.address);
  await new Promise((resolve) => process.stdin.resume().once('end', resolve));
  await cluster.close();
}

serve().then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
