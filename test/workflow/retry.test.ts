import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { randomBytes } from 'node:crypto';
import type { RunPlan } from '../../src/contract/plan';
import type { RunDescription } from '../../src/client';
import { listRuns } from '../../src/client';
import { planRetry } from '../../src/runs/plan-retry';
import { emptyInventory, startBench, type Bench, type Scenario } from '../support/bench';
import { runPlan } from '../support/plans';

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.close());

const states = [['Running', '300ms'], ['Completed']];
const caches = { 'cache/responses/cache.db': 'answers', 'lm_cache_rank0.db': 'likelihoods' };

async function failedRun(scenario: Scenario): Promise<{ plan: RunPlan; before: RunDescription }> {
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['hellaswag', 'gsm8k'] });
  await scenario.start(plan);
  const before = await scenario.closed(plan);
  expect(before.snapshot.tasks.map(({ outcome }) => outcome)).toEqual(['succeeded', 'failed']);
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  return { plan, before };
}

const retryOf = (
  { plan, before }: { plan: RunPlan; before: RunDescription },
  invocation = randomBytes(8).toString('hex'),
): RunPlan =>
  planRetry({
    plan,
    snapshot: before.snapshot,
    invocation,
    owner: 'tests',
    command: 'retry',
  });

/** The first job that evaluates gsm8k is interrupted, and leaves caches. */
const interruptedOnce = {
  default: { states },
  match: [
    {
      name: 'eval-gsm8k-*',
      states: [['Running', '300ms'], ['Completed']],
      files: { '.evalsaga_interrupted': '', ...caches },
    },
  ],
};

test('a retry takes over what succeeded, puts the caches back, and runs the rest', async () => {
  const scenario = await bench.scenario({ jobs: interruptedOnce });
  const run = await failedRun(scenario);
  const home = path.join(run.plan.outputDir, '1-gsm8k', 'resume');
  expect(await readFile(path.join(home, 'cache/responses/cache.db'), 'utf8')).toBe('answers');
  expect(run.before.snapshot.tasks[1]?.message).toContain(`evalsaga retry ${run.plan.invocation}`);

  const plan = retryOf(run);
  await scenario.start(plan);
  const { snapshot, status } = await scenario.closed(plan);
  // The simulated job is interrupted each time; what counts is what it found.
  expect(status).toBe('failed');
  expect(snapshot.retryOf).toBe(run.plan.invocation);
  const [taken, again] = snapshot.tasks;
  expect(taken).toMatchObject({
    outcome: 'succeeded',
    takenFrom: { invocation: run.plan.invocation, index: 0 },
    metrics: run.before.snapshot.tasks[0]?.metrics,
    resultsDigest: run.before.snapshot.tasks[0]?.resultsDigest,
    outputDir: path.join(plan.outputDir, '0-hellaswag'),
  });
  expect(again?.message).toContain('went on from what it had cached');
  const writes = (await scenario.platform.requests())
    .filter(({ method, path: route }) => method === 'POST' && route.startsWith('/storage'))
    .map(({ path: route }) => route.split(plan.invocation)[1]);
  expect(writes.sort()).toEqual(['/1-gsm8k/cache/responses/cache.db', '/1-gsm8k/lm_cache_rank0.db']);
  // Only the second task got an endpoint and a job.
  const posted = (await scenario.platform.requests()).filter(({ method }) => method === 'POST');
  expect(posted.filter(({ path: route }) => route === '/jobs')).toHaveLength(3);
  expect(posted.filter(({ path: route }) => route === '/deployments')).toHaveLength(3);
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  const record = JSON.parse(await readFile(path.join(plan.outputDir, 'run.json'), 'utf8')) as { retryOf: string };
  expect(record.retryOf).toBe(run.plan.invocation);
  for (;;) {
    const listed = (await listRuns(bench.client, { limit: 100 })).find(
      ({ invocation }) => invocation === plan.invocation,
    );
    if (listed === undefined) continue;
    expect(listed.retryOf).toBe(run.plan.invocation);
    break;
  }

  // Damaged results are not taken over.
  await writeFile(path.join(run.plan.outputDir, '0-hellaswag', 'results.yml'), 'results: {}\n');
  await rm(path.join(home, 'lm_cache_rank0.db'));
  const third = retryOf(run);
  await scenario.start(third);
  const { snapshot: after } = await scenario.closed(third);
  expect(after.tasks[0]).toMatchObject({
    outcome: 'failed',
    error: { type: 'ResultsUnusable', message: expect.stringContaining('could not be taken over') },
  });
  expect(after.tasks[1]?.message).toContain('could not be put back');
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
});

test('a retry that is cancelled before its job leaves nothing of the caches that it has put back', async () => {
  const invocation = randomBytes(8).toString('hex');
  const loading = { name: `*${invocation.slice(0, 8)}*`, states: [['Starting', '1h'], ['Ready']] };
  const scenario = await bench.scenario({
    endpoints: { default: { states: [['Starting', '200ms'], ['Ready']] }, match: [loading] },
    jobs: interruptedOnce,
    storage: { keeps_parents: true },
  });
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['gsm8k'] });
  await scenario.start(plan);
  const before = await scenario.closed(plan);
  const retry = retryOf({ plan, before }, invocation);
  await scenario.start(retry);
  await scenario.until(retry, ({ tasks: [task] }) => task?.phase === 'awaiting ready');
  const stored = async (): Promise<string[]> =>
    (await scenario.platform.inventory()).storage.filter((leaf) => leaf.includes(invocation));
  expect(await stored()).toHaveLength(Object.keys(caches).length);
  await scenario.cancel(retry);
  const { status, snapshot } = await scenario.closed(retry);
  expect({ status, left: snapshot.left, job: snapshot.tasks[0]?.job }).toEqual({
    status: 'cancelled',
    left: [],
    job: null,
  });
  expect(await stored()).toEqual([]);
});
