import { execa } from 'execa';
import path from 'node:path';
import { temporalVariable } from '../support/temporal';
import { buildCluster } from './binaries';
import { startCluster } from './cluster';

/**
 * `npm run test:cluster`: builds a cluster once, starts it, and runs on it what `parts` names; or one part of it:
 * `npm run test:cluster -- workflows`.
 */
const root = path.resolve(__dirname, '..', '..');

/** Jest's arguments. `core` starts a cluster of its own, because it kills it. */
const parts = {
  core: ['test/cluster/core.test.ts'],
  workflows: [
    ...['run', 'cancel', 'teardown', 'batches', 'two-workers', 'any-worker', 'sweep', 'sweep-schedule'],
    ...['worker-away', 'verdict', 'readiness', 'secrets'],
  ].map((name) => `test/workflow/${name}.test.ts`),
  'large-run': ['--testTimeout=900000', 'test/workflow/large-run.test.ts'],
  load: ['--testMatch', '**/*.cluster.ts', '--', 'test/cluster/load.cluster.ts'],
} as const;

async function main(wanted: readonly string[]): Promise<number> {
  const unknown = wanted.find((name) => !(name in parts));
  if (unknown !== undefined) throw new Error(`there is no part ${unknown}; there are ${Object.keys(parts).join(', ')}`);
  const cluster = await startCluster(await buildCluster());
  console.error(`Temporal Server with PostgreSQL at ${cluster.address}`);
  const failed: string[] = [];
  try {
    for (const [name, args] of Object.entries(parts)) {
      if (wanted.length > 0 && !wanted.includes(name)) continue;
      const { exitCode } = await execa(process.execPath, [require.resolve('jest/bin/jest'), '--runInBand', ...args], {
        cwd: root,
        env: { [temporalVariable]: cluster.address, EVALSAGA_TEST_TASKS: process.env['EVALSAGA_TEST_TASKS'] ?? '300' },
        stdio: 'inherit',
        reject: false,
      });
      if (exitCode !== 0) failed.push(name);
    }
  } finally {
    await cluster.close();
  }
  console.error(failed.length === 0 ? 'all parts passed' : `failed: ${failed.join(', ')}`);
  return failed.length === 0 ? 0 : 1;
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
