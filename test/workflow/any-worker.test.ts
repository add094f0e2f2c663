import { temporal } from '@temporalio/proto';
import { access, mkdir, readFile, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { heldUp, startRun } from '../../src/client';
import { runWorkflowId, taskWorkflowId } from '../../src/contract/identity';
import type { EndpointPlan, RunPlan } from '../../src/contract/plan';
import { homePaths, type HomePaths } from '../../src/home/paths';
import { readJsonFile, writePrivateJson } from '../../src/support/atomic-file';
import { forgetStaleSecrets } from '../../src/cleanup/stale-secrets';
import { benchWorker, emptyInventory, startBench, type Bench, type Scenario } from '../support/bench';
import { until } from '../support/command';
import { runPlan } from '../support/plans';
import { startWorkerProcess, type Running } from '../support/program';

/** Workers of one task queue, some of which lack the launching home's files and variables, or credentials. */

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(async () => {
  await Promise.all(stops.map((stop) => stop()));
  await bench.close();
});

/** Stop functions of the extra workers that tests start, called even if a test fails. */
const stops: (() => Promise<unknown>)[] = [];

/** A second home, which looks to runs like another machine. */
async function otherHome(scenario: Scenario, name: string, credentials: 'has' | 'lacks'): Promise<HomePaths> {
  const home = homePaths({ EVALSAGA_HOME: path.join(path.dirname(scenario.home.root), name) });
  await mkdir(home.root, { recursive: true });
  if (credentials === 'has')
    await writePrivateJson(home.platformAccess, await readJsonFile(scenario.home.platformAccess));
  return home;
}

/** A separate process that serves the scenario's queue without credentials. */
async function startPoorWorker(scenario: Scenario, name: string): Promise<Running> {
  const home = await otherHome(scenario, name, 'lacks');
  const worker = startWorkerProcess({ home, taskQueue: scenario.taskQueue, address: bench.env.address });
  stops.push(() => Promise.resolve(worker.signal('SIGTERM')));
  await worker.untilStderr(/worker for task queue/);
  return worker;
}

/** The plan with a variable of the launching host for its endpoint and jobs. */
function withVariable(plan: RunPlan): RunPlan {
  const variable = { name: 'MY_KEY', secret: { kind: 'host', name: 'MY_KEY' } } as const;
  if (plan.endpoint.kind !== 'dedicated') throw new Error('deploys none');
  const { spec } = plan.endpoint;
  const endpoint: EndpointPlan = { ...plan.endpoint, spec: { ...spec, envs: [...spec.envs, variable] } };
  const tasks = plan.tasks.map((task) => ({ ...task, job: { ...task.job, envs: [...task.job.envs, variable] } }));
  return { ...plan, endpoint, tasks };
}

interface Done {
  readonly activity: string;
  readonly by: string;
}

/** The completed activities of a run and its tasks, each with the worker that completed it. */
async function activitiesOf({ invocation, tasks }: RunPlan): Promise<Done[]> {
  const ids = [runWorkflowId(invocation), ...tasks.map(({ index }) => taskWorkflowId(invocation, index))];
  const histories = await Promise.all(ids.map((id) => bench.client.workflow.getHandle(id).fetchHistory()));
  const { EVENT_TYPE_ACTIVITY_TASK_COMPLETED: completed } = temporal.api.enums.v1.EventType;
  return histories.flatMap(({ events }) => {
    const names = new Map(
      (events ?? []).map(({ eventId, activityTaskScheduledEventAttributes: scheduled }) => [
        String(eventId),
        scheduled?.activityType?.name ?? '',
      ]),
    );
    return (events ?? []).flatMap(({ eventType, activityTaskCompletedEventAttributes: done }) =>
      eventType === completed
        ? [{ activity: names.get(String(done?.scheduledEventId)) ?? '', by: done?.identity ?? '' }]
        : [],
    );
  });
}

test.concurrent.each([
  ['with', true],
  ['without', false],
])(
  'a run %s host variables, whose queue only another machine serves: activities that need the launching home run there',
  async (_, hasVariables) => {
    const scenario = await bench.scenario();
    await (
      await scenario.startWorker()
    )();
    const stranger = await otherHome(scenario, 'stranger', 'has');
    const { taskQueue, home } = scenario;
    const homeQueue = `${taskQueue}-home`;
    stops.push(await benchWorker(bench.env, { taskQueue, home: stranger, identity: 'stranger' }));
    stops.push(await benchWorker(bench.env, { taskQueue: homeQueue, home, identity: 'home' }));
    const bare = runPlan({ outputRoot: scenario.outputRoot });
    const plan = hasVariables ? withVariable(bare) : bare;
    await startRun(scenario.client, {
      ...{ plan, taskQueue, homeQueue, home, configYaml: 'a: 1\n', searchAttributes: true },
      hostSecrets: hasVariables ? { MY_KEY: 'sk-0123456789abcdefghij' } : {},
    });
    expect((await scenario.closed(plan)).status).toBe('succeeded');

    const done = await activitiesOf(plan);
    const by = (who: string) => new Set(done.filter(({ by: one }) => one === who).map(({ activity }) => activity));
    const files = ['bringHome', 'recordRun', 'saveEndpointLog'];
    const secrets = ['awaitEndpointReady', 'createEndpoint', 'submitJob'];
    expect([...by('home')].sort()).toEqual((hasVariables ? [...files, ...secrets] : files).sort());
    // Removals, which end costs, do not wait for the launching machine.
    expect([...by('stranger')]).toEqual(
      expect.arrayContaining(['removeEndpoint', 'removeJobAndStorage', 'removeStorage']),
    );
    expect(JSON.parse(await readFile(path.join(plan.outputDir, 'run.json'), 'utf8'))).toMatchObject({
      config: 'a: 1\n',
    });
    // Nothing of the run is stored on the other machine, and no secret value is left on the launching one.
    await expect(access(stranger.runs)).rejects.toThrow('ENOENT');
    expect(await readdir(home.secrets).catch(() => [])).toEqual([]);
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  },
);

test.concurrent('a worker without credentials leaves every platform activity to one that has them', async () => {
  const scenario = await bench.scenario();
  const poor = await startPoorWorker(scenario, 'poor');
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['a', 'b', 'c', 'd'] });
  await scenario.start(plan);
  const { status, snapshot } = await scenario.closed(plan);
  expect([status, snapshot.tasks.map(({ error }) => error)]).toEqual(['succeeded', [null, null, null, null]]);
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  // recordRun is allowed: it needs no credentials.
  const poorest = (await activitiesOf(plan))
    .filter(({ by }) => by.endsWith(`:${poor.pid}`))
    .map(({ activity }) => activity);
  expect(poorest.filter((activity) => activity !== 'recordRun')).toEqual([]);
});

test.concurrent(
  'while no worker has credentials, the failure names all workers that have tried',
  async () => {
    const scenario = await bench.scenario();
    await (
      await scenario.startWorker()
    )();
    const workers = await Promise.all(['first', 'second'].map((name) => startPoorWorker(scenario, name)));
    const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['hellaswag'] });
    await scenario.start(plan);
    const lastWords = async (): Promise<string> => (await heldUp(bench.client, plan.invocation))?.cause ?? '';
    const isNamed = (text: string) => workers.every(({ pid }) => text.includes(`:${pid}`));
    await until('both are named', async () => isNamed(await lastWords().catch(() => '')), 200_000);
    expect(await lastWords()).toContain('no address in');

    // A worker with credentials lets the run continue. The others are stopped, because the time of each step would depend
    // on which worker gets it.
    await scenario.startWorker();
    for (const worker of workers) worker.signal('SIGTERM');
    expect((await scenario.closed(plan)).status).toBe('succeeded');
    expect(await heldUp(bench.client, plan.invocation)).toBeUndefined();
  },
  300_000,
);

test.concurrent(
  "a worker on another machine quotes a failed job's log without secret values, which it was never given",
  async () => {
    const key = 'sk-0123456789abcdefghij';
    const failing = { states: [['Running', '300ms'], ['Failed']], log: `refused: Bearer ${key}` };
    const scenario = await bench.scenario({ jobs: { default: failing } });
    await (
      await scenario.startWorker()
    )();
    const { taskQueue, home } = scenario;
    const homeQueue = `${taskQueue}-home`;
    const stranger = await otherHome(scenario, 'stranger', 'has');
    stops.push(await benchWorker(bench.env, { taskQueue, home: stranger, identity: 'stranger' }));
    stops.push(await benchWorker(bench.env, { taskQueue: homeQueue, home, identity: 'home' }));
    const plan = withVariable(runPlan({ outputRoot: scenario.outputRoot, tasks: ['hellaswag'] }));
    const request = { plan, taskQueue, homeQueue, home, configYaml: 'a: 1\n', searchAttributes: true };
    await startRun(scenario.client, { ...request, hostSecrets: { MY_KEY: key } });
    const { snapshot } = await scenario.closed(plan);
    expect(snapshot.tasks[0]?.error?.message).toContain('refused: Bearer');
    expect(JSON.stringify(snapshot)).not.toContain(key);
  },
);

test.concurrent(
  'secret values are deleted on the launching machine, even if only another machine saw the run end',
  async () => {
    const scenario = await bench.scenario();
    await (
      await scenario.startWorker()
    )();
    const { taskQueue, home } = scenario;
    const stranger = await otherHome(scenario, 'stranger', 'has');
    stops.push(await benchWorker(bench.env, { taskQueue, home: stranger, identity: 'stranger' }));
    const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['hellaswag'] });
    const request = { plan, taskQueue, home, configYaml: 'a: 1\n', searchAttributes: true };
    await startRun(scenario.client, { ...request, hostSecrets: { MY_KEY: 'sk-0123456789abcdefghij' } });
    expect((await scenario.closed(plan)).status).toBe('succeeded');
    expect(await readdir(home.secrets)).toEqual([`${plan.invocation}.json`]);
    // A record written on another machine would not be here either.
    await rm(plan.outputDir, { recursive: true });
    expect(await forgetStaleSecrets(bench.client, home)).toEqual([plan.invocation]);
    expect(await readdir(home.secrets)).toEqual([]);
  },
);
