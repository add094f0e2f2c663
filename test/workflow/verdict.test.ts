import { defineSearchAttributeKey } from '@temporalio/common';
import { listRuns } from '../../src/client';
import { runWorkflowId, taskWorkflowId } from '../../src/contract/identity';
import type { RunPlan } from '../../src/contract/plan';
import { statusWordOf } from '../../src/contract/verdict';
import { noteGone } from '../../src/home/removed-resources';
import { createLeptonClient } from '../../src/lepton/client';
import { cleanUp } from '../../src/cleanup/cleanup';
import { creations, emptyInventory, startBench, type Bench, type Scenario } from '../support/bench';
import { runPlan } from '../support/plans';

/** The outcome of a run: the same word wherever it is shown, and what must not change it. */

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.close());

const one = ['hellaswag'];
const failing = { jobs: { match: [{ name: '*arc*', states: [['Running', '200ms'], ['Failed']] }] } };
const slow = { jobs: { default: { states: [['Running', '8s'], ['Completed']] } } };

/** Temporal's status, the type of its failure, and the outcome that lists and the Web UI show. */
async function inTemporal({ client, home }: Scenario, { invocation }: RunPlan) {
  const handle = client.workflow.getHandle(runWorkflowId(invocation));
  const { status, typedSearchAttributes } = await handle.describe();
  const type = await handle.result().then(
    () => null,
    (error: { cause?: { type?: string } }) => error.cause?.type ?? null,
  );
  const outcome = typedSearchAttributes.get(defineSearchAttributeKey('EvalOutcome', 'KEYWORD'));
  return { status: status.name, type, outcome, home };
}

const listed = async ({ client, home }: Scenario, { invocation }: RunPlan): Promise<string | null | undefined> => {
  for (let tries = 0; tries < 300; tries += 1) {
    const found = (await listRuns(client, { limit: 200, home })).find((run) => run.invocation === invocation);
    if (found?.outcome) return found.outcome;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return undefined;
};

test.concurrent(
  'a run with a failed task fails, in Temporal too, and its failure holds the snapshot of its tasks',
  async () => {
    const scenario = await bench.scenario(failing);
    const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['hellaswag', 'arc_challenge'] });
    await scenario.start(plan);
    const run = await scenario.closed(plan);
    expect(statusWordOf(run)).toBe('failed');
    // The errors of its tasks explain it.
    expect(run.failure).toBeNull();
    expect(run.snapshot.tasks.map(({ outcome }) => outcome)).toEqual(['succeeded', 'failed']);
    expect(await inTemporal(scenario, plan)).toMatchObject({
      status: 'FAILED',
      type: 'TasksFailed',
      outcome: 'failed',
    });
    expect(await listed(scenario, plan)).toBe('failed');
  },
);

test.concurrent(
  'an incomplete teardown is shown as "teardown incomplete" everywhere, until a cleanup completes it',
  async () => {
    const scenario = await bench.scenario({
      faults: [{ on: 'DELETE /deployments/*', times: 1_000, respond: 403 }],
    });
    const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: one });
    await scenario.start(plan);
    expect(statusWordOf(await scenario.closed(plan))).toBe('teardown incomplete');
    expect(await inTemporal(scenario, plan)).toMatchObject({
      status: 'FAILED',
      type: 'TeardownIncomplete',
      outcome: 'teardown incomplete',
    });
    expect(await listed(scenario, plan)).toBe('teardown incomplete');

    const { url, workspace, token } = scenario.platform;
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    await fetch(new URL('/__sim/plan', url), { method: 'POST', headers, body: JSON.stringify({ faults: [] }) });
    const { removed } = await cleanUp({
      platform: createLeptonClient({ url, workspace, token }),
      invocation: plan.invocation,
      plan,
      origin: 'tests',
      outputDir: plan.outputDir,
      secrets: [],
      discard: false,
      report: () => undefined,
    });
    await noteGone(scenario.home, plan.invocation, removed);
    const run = await scenario.describe(plan);
    expect({ word: statusWordOf(run), failure: run.failure, left: run.snapshot.left }).toEqual({
      word: 'succeeded',
      failure: null,
      left: [],
    });
    expect(await listed(scenario, plan)).toBe('succeeded');
  },
);

test.concurrent('a cancelled run is in phase "tearing down" during its teardown', async () => {
  const scenario = await bench.scenario({
    ...slow,
    endpoints: { default: { states: [['Ready']], deleting: '6s' } },
  });
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: one });
  await scenario.start(plan);
  await scenario.until(plan, ({ tasks: [task] }) => task?.phase === 'running job');
  await scenario.cancel(plan);
  await scenario.until(plan, ({ phase }) => phase === 'tearing down');
  expect(statusWordOf(await scenario.closed(plan))).toBe('cancelled');
});

test.concurrent('signals sent by hand with missing or invalid arguments change nothing', async () => {
  const scenario = await bench.scenario(slow);
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: one });
  await scenario.start(plan);
  await scenario.until(plan, ({ tasks: [task] }) => task?.phase === 'running job');
  const run = scenario.client.workflow.getHandle(runWorkflowId(plan.invocation));
  const task = scenario.client.workflow.getHandle(taskWorkflowId(plan.invocation, 0));
  for (const name of ['taskChanged', 'endpointReady']) {
    for (const args of [[], ['x'], [{ index: 7, phase: 'done' }], [null]]) await run.signal(name, ...args);
  }
  for (const args of [[], ['x'], [{ message: 1 }], [null]]) await task.signal('observed', ...args);
  await task.signal('startJob', 'once more');
  const { status, snapshot } = await scenario.closed(plan);
  expect({ status, tasks: snapshot.tasks.map(({ outcome }) => outcome) }).toEqual({
    status: 'succeeded',
    tasks: ['succeeded'],
  });
});

test.concurrent('an open run that is reset tears down its resources and starts again', async () => {
  const scenario = await bench.scenario(slow);
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: one });
  await scenario.start(plan);
  await scenario.until(plan, ({ tasks: [task] }) => task?.phase === 'running job');
  const { client } = scenario;
  const { events } = await client.workflow.getHandle(runWorkflowId(plan.invocation)).fetchHistory();
  const firstTask = events?.find(({ workflowTaskCompletedEventAttributes: completed }) => completed);
  await client.workflowService.resetWorkflowExecution({
    namespace: client.options.namespace,
    workflowExecution: { workflowId: runWorkflowId(plan.invocation) },
    reason: 'test',
    workflowTaskFinishEventId: firstTask?.eventId ?? null,
    requestId: plan.invocation,
  });
  const { status, snapshot } = await scenario.closed(plan);
  expect({ status, tasks: snapshot.tasks.map(({ outcome }) => outcome), left: snapshot.left }).toEqual({
    status: 'succeeded',
    tasks: ['succeeded'],
    left: [],
  });
  expect(await creations(scenario.platform, '/deployments')).toBe(2);
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
});
