import { randomBytes } from 'node:crypto';
import { taskWorkflowId } from '../../src/contract/identity';
import type { RunPlan } from '../../src/contract/plan';
import type { RunSnapshot } from '../../src/contract/state';
import { createLeptonClient } from '../../src/lepton/client';
import { planRetry } from '../../src/runs/plan-retry';
import { startInBatches } from '../support/batched-run';
import { creations, emptyInventory, startBench, type Bench, type Scenario } from '../support/bench';
import { runPlan, withJudge, withPool } from '../support/plans';

/** A shared endpoint whose tasks have all ended holds nobody up, and costs nothing more. */

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.close());

/** So long that a run that waits for it doesn't close while a test is looking. */
const limits = { endpointReadySeconds: 3_600 };
const loading = (name: string): object => ({
  default: { states: [['Starting', '200ms'], ['Ready']] },
  match: [{ name, states: [['Starting', '1h'], ['Ready']] }],
});
const refused = (...names: string[]): object[] =>
  names.map((name) => ({ on: 'POST /deployments', name, times: 'inf', respond: 422 }));

/** Two tasks ask a judge; the third doesn't. */
function judgedPlan({ outputRoot }: Scenario): RunPlan {
  const plan = withJudge(runPlan({ outputRoot, tasks: ['aime', 'math', 'hellaswag'], limits }));
  const tasks = plan.tasks.map(({ uses, ...task }) => (task.index === 2 || !uses ? task : { ...task, uses }));
  return { ...plan, tasks };
}

const pooledPlan = ({ outputRoot }: Scenario): RunPlan => withPool(runPlan({ outputRoot, limits }));
const outcomes = ({ tasks }: RunSnapshot) => tasks.map(({ outcome, error }) => [outcome, error?.type ?? null]);
const startPlainly = (scenario: Scenario, plan: RunPlan): Promise<void> => scenario.start(plan);
const ways = [
  { how: 'a run of few tasks', start: startPlainly },
  { how: 'in batches', start: startInBatches },
];

const usersRefused = [
  ['failed', 'RequestRefused'],
  ['failed', 'RequestRefused'],
  ['succeeded', null],
];

test.concurrent.each(ways)('it fails after its users have ended: the others go on ($how)', async ({ start }) => {
  const scenario = await bench.scenario({
    endpoints: loading('*-judge-*'),
    faults: refused('*-aime-*', '*-math-*'),
  });
  const plan = judgedPlan(scenario);
  await start(scenario, plan);
  await scenario.until(plan, ({ tasks }) => [0, 1].every((index) => tasks[index]?.outcome === 'failed'));
  await createLeptonClient(scenario.platform).deleteDeployment(plan.sharedEndpoints?.[0]?.endpointName ?? '');
  const { status, snapshot } = await scenario.closed(plan);
  expect([status, outcomes(snapshot)]).toEqual(['failed', usersRefused]);
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
});

describe('it still loads when its users have ended: it is called off', () => {
  test.concurrent.each(ways)('$how', async ({ start }) => {
    const scenario = await bench.scenario({
      endpoints: loading('*-judge-*'),
      faults: refused('*-aime-*', '*-math-*'),
    });
    const plan = judgedPlan(scenario);
    await start(scenario, plan);
    const { snapshot } = await scenario.closed(plan);
    expect(outcomes(snapshot)).toEqual(usersRefused);
    expect(snapshot.shared?.[0]).toMatchObject({
      ...{ phase: 'done', outcome: 'cancelled', error: null, left: [] },
      message: expect.stringContaining('no task needed it any more'),
      usage: { endpoint: { until: expect.any(String) } },
    });
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  });

  test.concurrent('also if its create is under way', async () => {
    const slow = { on: 'POST /deployments', name: '*-judge-*', times: 'inf', delay: '6s' };
    const scenario = await bench.scenario({
      endpoints: loading('*-judge-*'),
      faults: [...refused('*-aime-*', '*-math-*'), slow],
    });
    const plan = judgedPlan(scenario);
    await scenario.start(plan);
    const { snapshot } = await scenario.closed(plan);
    expect(outcomes(snapshot)).toEqual(usersRefused);
    expect(snapshot.shared?.[0]).toMatchObject({ outcome: 'cancelled', left: [] });
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  });
});

test.concurrent('tasks of one endpoint of a pool are cancelled alone: those of the other one go on', async () => {
  const scenario = await bench.scenario({ endpoints: loading('*-shared-e0-*') });
  const plan = pooledPlan(scenario);
  await scenario.start(plan);
  await scenario.until(plan, ({ tasks, shared }) => {
    const [loads, serves] = shared ?? [];
    const hasBegun = tasks.every(({ phase }) => phase !== 'pending');
    return hasBegun && loads?.phase === 'awaiting ready' && serves?.phase === 'ready';
  });
  for (const index of [0, 2]) await bench.client.workflow.getHandle(taskWorkflowId(plan.invocation, index)).cancel();
  const { snapshot } = await scenario.closed(plan);
  expect(snapshot.tasks.map(({ outcome }) => outcome)).toEqual(['cancelled', 'succeeded', 'cancelled']);
  expect(snapshot.shared?.map(({ outcome }) => outcome)).toEqual(['cancelled', 'succeeded']);
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
});

describe('a retry, where the tasks of one endpoint are taken over', () => {
  const newId = (): string => randomBytes(8).toString('hex');

  /** Ends a run whose second endpoint was lost, and its only task with it; returns the plan of its retry. */
  async function retryAs(invocation: string, change: object = {}): Promise<{ scenario: Scenario; plan: RunPlan }> {
    const first = newId();
    const endless = { name: `*-arc-challenge-1-${first.slice(0, 8)}`, states: [['Running', '1h'], ['Completed']] };
    const jobs = { default: { states: [['Running', '300ms'], ['Completed']] }, match: [endless] };
    const scenario = await bench.scenario({ jobs, ...change });
    const plan = withPool(runPlan({ outputRoot: scenario.outputRoot, invocation: first, limits }));
    await scenario.start(plan);
    await scenario.until(plan, ({ tasks }) => tasks[1]?.phase === 'running job');
    await createLeptonClient(scenario.platform).deleteDeployment(plan.sharedEndpoints?.[1]?.endpointName ?? '');
    const { snapshot } = await scenario.closed(plan);
    expect(snapshot.tasks.map(({ outcome }) => outcome)).toEqual(['succeeded', 'failed', 'succeeded']);
    return { scenario, plan: planRetry({ plan, snapshot, invocation, owner: 'tests', command: 'retry' }) };
  }

  test.concurrent('creates only the other one', async () => {
    const { scenario, plan } = await retryAs(newId());
    await scenario.start(plan);
    const { status, snapshot } = await scenario.closed(plan);
    expect([status, snapshot.shared?.map(({ outcome }) => outcome)]).toEqual(['succeeded', ['succeeded']]);
    expect(await creations(scenario.platform, '/deployments')).toBe(3);
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  });

  test.concurrent('planned by an older build, creates both, and waits for none that it does not need', async () => {
    const invocation = newId();
    const { scenario, plan } = await retryAs(invocation, {
      endpoints: loading(`*-shared-e0-${invocation.slice(0, 8)}`),
    });
    const both = withPool(plan);
    await scenario.start(both);
    const { status, snapshot } = await scenario.closed(both);
    expect([status, snapshot.shared?.map(({ outcome }) => outcome)]).toEqual(['succeeded', ['cancelled', 'succeeded']]);
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  });
});
