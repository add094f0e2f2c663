import { execa } from 'execa';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { temporalVariable } from '../support/temporal';
import { buildCluster } from './binaries';
import { startCluster, type Cluster } from './cluster';
import { endStaleClusters } from './ledger';
import { stopSignals } from './stop-signals';

/**
 * `npm run test:cluster`: builds a cluster once, starts it, and runs on it what `parts` names; or some of it:
 * `npm run test:cluster -- workflows fairness`. A signal ends the tests and takes the cluster down; after a SIGKILL the next start does.
 */
const root = path.resolve(__dirname, '..', '..');

interface Part {
  /** Jest's arguments. */
  readonly args: readonly string[];
  /** Starts a cluster of its own, because it kills it. */
  readonly hasOwn?: true;
}

/** Of test/workflow: those in which the server has a part. They wait most of their time. */
const suites = [
  'run',
  'cancel',
  'teardown',
  'batches',
  'two-workers',
  'any-worker',
  'sweep',
  'sweep-schedule',
  'worker-away',
];

const ofCluster = (name: string): readonly string[] => [
  ...['--testMatch', '**/*.cluster.ts', '--'],
  `test/cluster/${name}.cluster.ts`,
];

const parts: Readonly<Record<string, Part>> = {
  core: { args: ['test/cluster/core.test.ts'], hasOwn: true },
  chaos: { args: ofCluster('chaos'), hasOwn: true },
  workflows: { args: ['--maxWorkers=3', ...suites.map((name) => `test/workflow/${name}.test.ts`)] },
  versioning: { args: ofCluster('versioning') },
  fairness: { args: ofCluster('fairness') },
  'rolling-restart': { args: ofCluster('rolling-restart') },
  'large-run': { args: ['--testTimeout=900000', 'test/workflow/large-run.test.ts'] },
};

/** Of one part, milliseconds. */
const longestMs = 1_200_000;

interface Outcome {
  readonly name: string;
  readonly passed: number;
  readonly failed: number;
  readonly seconds: number;
}

async function main(wanted: readonly string[]): Promise<number> {
  const unknown = wanted.find((name) => !(name in parts));
  if (unknown !== undefined) throw new Error(`there is no part ${unknown}; there are ${Object.keys(parts).join(', ')}`);
  const binaries = await buildCluster();
  const stop = stopSignals();
  const outcomes: Outcome[] = [];
  let shared: Cluster | undefined;
  try {
    for (const [name, part] of Object.entries(parts)) {
      if (stop.signal.aborted) break;
      if (wanted.length > 0 && !wanted.includes(name)) continue;
      if (part.hasOwn) console.error(`\n${name}: on a cluster of its own`);
      else {
        shared ??= await startCluster(binaries);
        console.error(`\n${name}: on Temporal Server with PostgreSQL at ${shared.address}`);
      }
      outcomes.push(await run(name, part, { cluster: part.hasOwn ? undefined : shared, stop: stop.signal }));
    }
  } finally {
    await shared?.close();
    // A part that was stopped had no time to close a cluster of its own.
    if (stop.signal.aborted) await endStaleClusters();
  }
  return stop.exitCode() ?? conclude(outcomes);
}

interface Surroundings {
  readonly cluster: Cluster | undefined;
  /** Ends the tests and the processes that they have started. */
  readonly stop: AbortSignal;
}

async function run(name: string, { args }: Part, { cluster, stop }: Surroundings): Promise<Outcome> {
  const folder = await mkdtemp(path.join(tmpdir(), 'evalsaga-test-cluster-'));
  const report = path.join(folder, 'report.json');
  const begun = performance.now();
  try {
    const jest = [require.resolve('jest/bin/jest'), '--verbose', '--json', `--outputFile=${report}`];
    const parallel = args.some((arg) => arg.startsWith('--maxWorkers')) ? [] : ['--runInBand'];
    const env = { EVALSAGA_TEST_TASKS: process.env['EVALSAGA_TEST_TASKS'] ?? '300' };
    const tests = execa(process.execPath, [...jest, ...parallel, ...args], {
      cwd: root,
      env: cluster ? { ...env, [temporalVariable]: cluster.address } : env,
      stdio: ['ignore', 'ignore', 'inherit'],
      reject: false,
      // A process group, to be ended as a whole.
      detached: true,
    });
    const end = (): void => endGroup(tests.pid);
    const timer = setTimeout(end, longestMs);
    stop.addEventListener('abort', end, { once: true });
    if (stop.aborted) end();
    await tests;
    clearTimeout(timer);
    stop.removeEventListener('abort', end);
    return { name, ...(await counts(report)), seconds: (performance.now() - begun) / 1000 };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function endGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGTERM');
  } catch {
    // It has ended.
  }
}

/** A file that could not be run counts as a failure, and so does a part that wrote no report. */
async function counts(report: string): Promise<Pick<Outcome, 'passed' | 'failed'>> {
  const text = await readFile(report, 'utf8').catch(() => undefined);
  if (text === undefined) return { passed: 0, failed: 1 };
  const { numPassedTests, numFailedTests, numRuntimeErrorTestSuites } = JSON.parse(text) as Record<string, number>;
  const [passed = 0, failed = 0, broken = 0] = [numPassedTests, numFailedTests, numRuntimeErrorTestSuites];
  return { passed, failed: failed + broken + (passed + failed + broken === 0 ? 1 : 0) };
}

function conclude(outcomes: readonly Outcome[]): number {
  console.log('');
  for (const { name, passed, failed, seconds } of outcomes)
    console.log(
      `${failed === 0 ? 'ok  ' : 'FAIL'} ${name.padEnd(16)} ${passed} passed, ${failed} failed, ${Math.round(seconds)} s`,
    );
  const failures = outcomes.filter(({ failed }) => failed > 0).map(({ name }) => name);
  if (failures.length > 0) console.log(`repeat with: npm run test:cluster -- ${failures.join(' ')}`);
  return failures.length === 0 ? 0 : 1;
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
