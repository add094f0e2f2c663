import { temporal } from '@temporalio/proto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { runWorkflowId, taskWorkflowId } from '../../src/contract/identity';
import type { RunPlan } from '../../src/contract/plan';
import type { TaskPhase } from '../../src/contract/state';
import { servingOf } from '../../src/stack/pollers';
import { benchWorker, emptyInventory, startBench, type Bench, type Scenario } from '../support/bench';
import { until } from '../support/command';
import { runPlan } from '../support/plans';
import { startWorkerProcess, type Running } from '../support/program';
import type { SimulatedPlan } from '../support/simulated';

/** Several workers serve one task queue: some die, or they are of different builds. */

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.close());

describe('the worker that holds all activities dies, and another one takes over', () => {
  /** What the run of that name is doing when the worker dies. */
  const phases = ['creating', 'waiting', 'running', 'fetching', 'removing'] as const;
  type Phase = (typeof phases)[number];

  /** The platform delays the answers to a create, a delete and a transfer; waiting and running take time by themselves. */
  const platform = (held: string, folder: string): SimulatedPlan => ({
    endpoints: {
      default: { states: [['Starting', '100ms'], ['Ready']] },
      match: [{ name: '*waiting*', states: [['Starting', '20s'], ['Ready']] }],
    },
    jobs: {
      default: { states: [['Running', '300ms'], ['Completed']] },
      match: [{ name: '*running*', states: [['Running', '20s'], ['Completed']] }],
    },
    faults: [
      { on: 'POST /deployments', name: '*creating*', times: 1, apply: true, delay: held },
      { on: 'DELETE /deployments/*', name: '*removing*', times: 1, apply: true, delay: held },
      { on: `GET /storage/default${folder}/**`, times: 1, delay: held },
    ],
  });

  /** Brings one run into each phase with a worker in a separate process, then starts a second worker in this process. */
  async function atTheMoment(held: string): Promise<{ scenario: Scenario; plans: RunPlan[]; dying: Running }> {
    const plans = phases.map((phase) => runPlan({ outputRoot: '/', tasks: [phase] }));
    const planOf = (phase: Phase): RunPlan => plans[phases.indexOf(phase)] as RunPlan;
    const scenario = await bench.scenario(platform(held, planOf('fetching').storage.path));
    await (
      await scenario.startWorker()
    )();
    const dying = startWorkerProcess({ ...scenario, address: bench.env.address });
    const start = async (phase: Phase): Promise<void> => {
      const plan = planOf(phase);
      await scenario.start({ ...plan, outputDir: path.join(scenario.outputRoot, plan.invocation) });
    };
    await Promise.all((['creating', 'fetching', 'removing'] as const).map(start));
    const asked = async (what: RegExp): Promise<boolean> =>
      (await scenario.platform.requests()).some((request) => what.test(`${request.method} ${request.path}`));
    let isCreated = false;
    await until('a create, a transfer and a delete are under way', async () => {
      const { deployments } = await scenario.platform.inventory();
      isCreated ||= deployments.some((name) => name.includes('creating'));
      return (
        isCreated &&
        (await asked(/^DELETE .*removing/)) &&
        asked(new RegExp(`^GET /storage/.*${planOf('fetching').invocation}`))
      );
    });
    await Promise.all((['waiting', 'running'] as const).map(start));
    const isIn = (phase: Phase, wanted: TaskPhase) =>
      scenario.until(planOf(phase), ({ tasks: [task] }) => task?.phase === wanted);
    await Promise.all([isIn('waiting', 'awaiting ready'), isIn('running', 'running job')]);
    await scenario.startWorker();
    return { scenario, plans, dying };
  }

  async function expectAllWell(scenario: Scenario, plans: readonly RunPlan[]): Promise<void> {
    const ends = await Promise.all(plans.map((plan) => scenario.closed(plan)));
    expect(ends.map(({ status, snapshot }) => [status, snapshot.tasks[0]?.error])).toEqual(
      plans.map(() => ['succeeded', null]),
    );
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
    for (const { snapshot } of ends)
      expect(await readFile(path.join(snapshot.tasks[0]?.outputDir ?? '', 'results.yml'), 'utf8')).toContain('results');
    for (const route of ['/deployments', '/jobs']) {
      const creates = (await scenario.platform.requests()).filter(
        ({ method, path: at }) => method === 'POST' && at === route,
      );
      // A create whose answer is delayed forever took effect; its retry is answered 409.
      expect(creates.filter(({ status }) => status !== 409)).toHaveLength(plans.length);
    }
  }

  test.concurrent('by kill -9: its activities are retried after their heartbeat timeout', async () => {
    const { scenario, plans, dying } = await atTheMoment('10m');
    dying.signal('SIGKILL');
    await expectAllWell(scenario, plans);
  });

  test.concurrent('by SIGTERM: it hands over its activities and exits 0', async () => {
    const { scenario, plans, dying } = await atTheMoment('10s');
    dying.signal('SIGTERM');
    await expectAllWell(scenario, plans);
    expect(await dying.finished).toMatchObject({ code: 0 });
  });
});

test.concurrent(
  'three workers are killed in turn while they fetch results: the run succeeds with one job',
  async () => {
    const plan = runPlan({ outputRoot: '/', tasks: ['mmlu'] });
    const scoresAsked = new RegExp(`^GET /storage/.*${plan.invocation}.*/results\\.yml`);
    const scenario = await bench.scenario({
      faults: [{ on: `GET /storage/default${plan.storage.path}/**/results.yml`, times: 3, delay: '10m' }],
    });
    await (
      await scenario.startWorker()
    )();
    await scenario.start({ ...plan, outputDir: path.join(scenario.outputRoot, plan.invocation) });
    for (let died = 0; died < 3; died += 1) {
      const worker = startWorkerProcess({ ...scenario, address: bench.env.address });
      // The activity of a killed worker is tried again after its heartbeat timeout.
      const isFetching = async (): Promise<boolean> => {
        const asked = (await scenario.platform.requests()).filter((one) =>
          scoresAsked.test(`${one.method} ${one.path}`),
        );
        return asked.length > died;
      };
      await until(`worker ${died + 1} fetches the scores`, isFetching, 120_000);
      worker.signal('SIGKILL');
      await worker.finished;
    }
    await scenario.startWorker();
    const { status, snapshot } = await scenario.closed(plan);
    expect([status, snapshot.tasks[0]?.error]).toEqual(['succeeded', null]);
    const requests = await scenario.platform.requests();
    expect(requests.filter(({ method, path: at }) => method === 'POST' && at === '/jobs')).toHaveLength(1);
    expect(await readFile(path.join(snapshot.tasks[0]?.outputDir ?? '', 'results.yml'), 'utf8')).toContain('results');
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  },
  600_000,
);

test.concurrent(
  'with workers of two builds, each run stays on the build that started it',
  async () => {
    const scenario = await bench.scenario({ jobs: { default: { states: [['Running', '10s'], ['Completed']] } } });
    await (
      await scenario.startWorker()
    )();
    const deploymentName = scenario.taskQueue;
    const workerOf = (buildId: string) =>
      benchWorker(bench.env, {
        taskQueue: scenario.taskQueue,
        home: scenario.home,
        identity: buildId,
        build: { EVALSAGA_DEPLOYMENT_NAME: deploymentName, EVALSAGA_BUILD_ID: buildId },
      });
    const { workflowService, options } = bench.client;
    /** Like `temporal worker deployment set-current-version`, which is refused until the worker has polled. */
    const makeCurrent = (buildId: string) =>
      until(`build ${buildId} is current`, () =>
        workflowService
          .setWorkerDeploymentCurrentVersion({
            namespace: options.namespace,
            deploymentName,
            buildId,
            identity: 'test',
          })
          .then(
            () => true,
            () => false,
          ),
      );
    const one = runPlan({ outputRoot: scenario.outputRoot, tasks: ['begun-before', 'with-it'] });
    const two = runPlan({ outputRoot: scenario.outputRoot, tasks: ['begun-after'] });

    const stopOld = await workerOf('old');
    await scenario.start(one);
    // A worker polls the queue, but its build does not serve the run yet: servingOf reports that.
    const whoServes = () => servingOf(bench.client, { taskQueue: scenario.taskQueue, invocation: one.invocation });
    const old = { deploymentName, buildId: 'old' };
    // If Temporal missed that the scenario's own worker ended, it counts until its poll expires.
    await until('only the worker of a build is seen', async () => (await whoServes()).kind === 'other builds', 100_000);
    expect(await whoServes()).toEqual({
      kind: 'other builds',
      builds: [old],
      wanted: ['unversioned'],
      hasBegun: false,
    });
    await makeCurrent('old');
    await scenario.until(one, ({ tasks }) => tasks.every(({ phase }) => phase === 'running job'));
    const stopNew = await workerOf('new');
    await makeCurrent('new');
    expect(await whoServes()).toEqual({ kind: 'served' });
    await scenario.start(two);
    expect((await scenario.closed(one)).status).toBe('succeeded');
    expect((await scenario.closed(two)).status).toBe('succeeded');
    expect(await workersOf(one)).toEqual(['old']);
    expect(await workersOf(two)).toEqual(['new']);
    await Promise.all([stopOld(), stopNew()]);
  },
  300_000,
);

/** The workers that completed workflow tasks or activities of a run and its tasks. */
async function workersOf({ invocation, tasks }: RunPlan): Promise<string[]> {
  const ids = [runWorkflowId(invocation), ...tasks.map(({ index }) => taskWorkflowId(invocation, index))];
  const histories = await Promise.all(ids.map((id) => bench.client.workflow.getHandle(id).fetchHistory()));
  const { EventType } = temporal.api.enums.v1;
  const identities = histories.flatMap(({ events }) =>
    (events ?? []).flatMap((event) => {
      const isDone = event.eventType === EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED;
      const done = isDone ? event.workflowTaskCompletedEventAttributes : event.activityTaskCompletedEventAttributes;
      return done?.identity ?? [];
    }),
  );
  return [...new Set(identities)];
}
