import { batchWorkflowId, runWorkflowId, taskWorkflowId } from '../../src/contract/identity';
import { startInBatches } from '../support/batched-run';
import { creations, emptyInventory, startBench, type Bench, type Scenario } from '../support/bench';
import { runPlan } from '../support/plans';

/** Runs whose tasks are run by a batch, as those of runs with many tasks are. */

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.close());

const endless = { default: { states: [['Running', '1h'], ['Completed']] } };

const allIn = (phase: string) => (snapshot: { tasks: readonly { phase: string }[] }) =>
  snapshot.tasks.every((task) => task.phase === phase);

async function untilEmpty(scenario: Scenario): Promise<void> {
  while (JSON.stringify(await scenario.platform.inventory()) !== JSON.stringify(emptyInventory))
    await new Promise((resolve) => setTimeout(resolve, 200));
}

describe('a run in batches', () => {
  test.concurrent('that is cancelled tears down all its tasks, and says so', async () => {
    const scenario = await bench.scenario({ jobs: endless });
    const plan = runPlan({ outputRoot: scenario.outputRoot });
    await startInBatches(scenario, plan);
    await scenario.until(plan, allIn('running job'));
    await scenario.cancel(plan);
    const { status, snapshot } = await scenario.closed(plan);
    expect(status).toBe('cancelled');
    expect(snapshot.tasks.map(({ outcome, left }) => ({ outcome, left }))).toEqual(
      plan.tasks.map(() => ({ outcome: 'cancelled', left: [] })),
    );
    expect(snapshot.tasks.every(({ usage }) => usage?.endpoint?.until && usage.job?.until)).toBe(true);
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  });

  test.concurrent('goes on without a task that is cancelled', async () => {
    const scenario = await bench.scenario({
      jobs: { default: { states: [['Running', '1s'], ['Completed']] }, match: [{ name: '*arc*', ...endless.default }] },
    });
    const plan = runPlan({ outputRoot: scenario.outputRoot });
    await startInBatches(scenario, plan);
    await scenario.until(plan, ({ tasks }) => tasks[1]?.phase === 'running job');
    await scenario.client.workflow.getHandle(taskWorkflowId(plan.invocation, 1)).cancel();
    const { snapshot } = await scenario.closed(plan);
    expect(snapshot.tasks.map(({ outcome }) => outcome)).toEqual(['succeeded', 'cancelled', 'succeeded']);
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  });

  test.concurrent('that is terminated leaves nothing: its tasks tear down by themselves', async () => {
    const scenario = await bench.scenario({ jobs: endless });
    const plan = runPlan({ outputRoot: scenario.outputRoot });
    await startInBatches(scenario, plan);
    await scenario.until(plan, allIn('running job'));
    await scenario.client.workflow.getHandle(runWorkflowId(plan.invocation)).terminate();
    await untilEmpty({ ...scenario });
    for (const { index } of plan.tasks) {
      const handle = scenario.client.workflow.getHandle(taskWorkflowId(plan.invocation, index));
      await expect(handle.result()).rejects.toThrow();
    }
  });

  test.concurrent('whose batch is terminated fails, when its tasks have torn down', async () => {
    const scenario = await bench.scenario({ jobs: endless });
    const plan = runPlan({ outputRoot: scenario.outputRoot });
    await startInBatches(scenario, plan);
    await scenario.until(plan, allIn('running job'));
    await scenario.client.workflow.getHandle(batchWorkflowId(plan.invocation, 0)).terminate();
    const { status, snapshot } = await scenario.closed(plan);
    expect(status).toBe('failed');
    expect(snapshot.tasks.map(({ outcome, left }) => ({ outcome, left }))).toEqual(
      plan.tasks.map(() => ({ outcome: 'failed', left: [] })),
    );
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  });

  test.concurrent('that is reset ends its batch and begins anew', async () => {
    const scenario = await bench.scenario({ jobs: { default: { states: [['Running', '8s'], ['Completed']] } } });
    const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['hellaswag'] });
    await startInBatches(scenario, plan);
    await scenario.until(plan, allIn('running job'));
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
    expect((await scenario.closed(plan)).status).toBe('succeeded');
    expect(await creations(scenario.platform, '/deployments')).toBe(2);
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  });

  test.concurrent('tears down for a task that is terminated', async () => {
    const scenario = await bench.scenario({ jobs: endless });
    const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['hellaswag'] });
    await startInBatches(scenario, plan);
    await scenario.until(plan, allIn('running job'));
    await scenario.client.workflow.getHandle(taskWorkflowId(plan.invocation, 0)).terminate();
    const { status, snapshot } = await scenario.closed(plan);
    expect({ status, outcome: snapshot.tasks[0]?.outcome }).toEqual({ status: 'failed', outcome: 'failed' });
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  });

  test.concurrent('ends with its first failed task where it is told to', async () => {
    const scenario = await bench.scenario({
      endpoints: {
        default: { states: [['Starting', '1h'], ['Ready']] },
        match: [{ name: '*arc*', states: [['Starting', '200ms'], ['Error']], message: 'no such image' }],
      },
    });
    const plan = runPlan({ outputRoot: scenario.outputRoot, change: { onTaskFailure: 'abort' } });
    await startInBatches(scenario, plan);
    const { snapshot } = await scenario.closed(plan);
    expect(snapshot.tasks.map(({ outcome }) => outcome)).toEqual(['cancelled', 'failed', 'cancelled']);
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  });

  test.concurrent.each(['all_ready', 'as_ready'] as const)(
    '%s: no more tasks have an endpoint at once than there may be',
    async (startPolicy) => {
      const scenario = await bench.scenario();
      const tasks = ['a', 'b', 'c', 'd', 'e'];
      const plan = runPlan({
        outputRoot: scenario.outputRoot,
        tasks,
        change: { startPolicy, maxParallelEndpoints: 2 },
      });
      await startInBatches(scenario, plan);
      let most = 0;
      let over = false;
      while (!over) {
        most = Math.max(most, (await scenario.platform.inventory()).deployments.length);
        over = (await scenario.describe(plan)).status !== 'running';
      }
      expect((await scenario.closed(plan)).status).toBe('succeeded');
      expect(most).toBe(2);
      expect(await scenario.platform.inventory()).toEqual(emptyInventory);
    },
  );
});
