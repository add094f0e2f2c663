import { temporal } from '@temporalio/proto';
import { access, mkdir, readFile, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { startRun } from '../../src/client';
import { runWorkflowId, taskWorkflowId } from '../../src/contract/identity';
import type { EndpointPlan, RunPlan } from '../../src/contract/plan';
import { homePaths, type HomePaths } from '../../src/home/paths';
import { readJsonFile, writePrivateJson } from '../../src/support/atomic-file';
import { forgetStaleSecrets } from '../../src/cleanup/stale-secrets';
import { benchWorker, emptyInventory, startBench, type Bench, type Scenario } from '../support/bench';
import { until } from '../support/command';
import { runPlan } from '../support/plans';
import { bareEnvironment, startProgram, type Running } from '../support/program';

/** Workers of one task queue that lack what others have: the launching home's files and variables, or credentials. */

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(async () => {
  await Promise.all(stops.map((stop) => stop()));
  await bench.close();
});

/** Of workers that a test started beside its scenario's: one that fails must not leave them behind. */
const stops: (() => Promise<unknown>)[] = [];

/** A home beside the scenario's, on another machine as far as runs can tell. */
async function otherHome(scenario: Scenario, name: string, credentials: 'has' | 'lacks'): Promise<HomePaths> {
  const home = homePaths({ EVALSAGA_HOME: path.join(path.dirname(scenario.home.root), name) });
  await mkdir(home.root, { recursive: true });
  if (credentials === 'has')
    await writePrivateJson(home.platformAccess, await readJsonFile(scenario.home.platformAccess));
  return home;
}

/** A process of its own that serves the scenario's queue without any credentials. */
async function startPoorWorker(scenario: Scenario, name: string): Promise<Running> {
  const { root } = await otherHome(scenario, name, 'lacks');
  const settings = { EVALSAGA_TASK_QUEUE: scenario.taskQueue, EVALSAGA_LOG_LEVEL: 'error' };
  const env = { ...bareEnvironment(), EVALSAGA_HOME: root, TEMPORAL_ADDRESS: bench.env.address, ...settings };
  const worker = startProgram(['worker'], { cwd: root, env });
  stops.push(() => Promise.resolve(worker.signal('SIGTERM')));
  await worker.untilStderr(/worker for task queue/);
  return worker;
}

/** Its endpoint and its jobs get a variable of the launching host. */
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

/** Who completed which activity of a run and its tasks. */
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
  'a run %s host variables, on a queue that only strangers serve: what needs the launching home is done there',
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
    // What ends costs does not wait for a laptop.
    expect([...by('stranger')]).toEqual(
      expect.arrayContaining(['removeEndpoint', 'removeJobAndStorage', 'removeStorage']),
    );
    expect(JSON.parse(await readFile(path.join(plan.outputDir, 'run.json'), 'utf8'))).toMatchObject({
      config: 'a: 1\n',
    });
    // Nothing of the run is on the other machine, nor a value left where it was started.
    await expect(access(stranger.runs)).rejects.toThrow('ENOENT');
    expect(await readdir(home.secrets).catch(() => [])).toEqual([]);
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  },
);

test.concurrent('a worker without credentials leaves every activity to one that has them', async () => {
  const scenario = await bench.scenario();
  const poor = await startPoorWorker(scenario, 'poor');
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['a', 'b', 'c', 'd'] });
  await scenario.start(plan);
  const { status, snapshot } = await scenario.closed(plan);
  expect([status, snapshot.tasks.map(({ error }) => error)]).toEqual(['succeeded', [null, null, null, null]]);
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  // It may write down how a run ended: for that it needs no credentials.
  const poorest = (await activitiesOf(plan))
    .filter(({ by }) => by.endsWith(`:${poor.pid}`))
    .map(({ activity }) => activity);
  expect(poorest.filter((activity) => activity !== 'recordRun')).toEqual([]);
});

test.concurrent(
  'while no worker has what it takes, each attempt names all that have tried',
  async () => {
    const scenario = await bench.scenario();
    await (
      await scenario.startWorker()
    )();
    const workers = await Promise.all(['first', 'second'].map((name) => startPoorWorker(scenario, name)));
    const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['hellaswag'] });
    await scenario.start(plan);
    const handle = bench.client.workflow.getHandle(taskWorkflowId(plan.invocation, 0));
    const lastWords = async (): Promise<string> => {
      const { raw } = await handle.describe();
      const [create] = raw.pendingActivities ?? [];
      return create?.lastFailure?.applicationFailureInfo?.type === 'NotOnThisWorker'
        ? (create.lastFailure.message ?? '')
        : '';
    };
    const isNamed = (text: string) => workers.every(({ pid }) => text.includes(`:${pid}`));
    await until('both are named', async () => isNamed(await lastWords().catch(() => '')), 200_000);
    const told = await scenario.until(plan, ({ tasks }) => tasks[0]?.message?.includes('Not on:') ?? false);
    expect(told.tasks[0]?.message).toContain('no address in');

    // One that has them takes it up, and the run goes on as if nothing had been. The others go: with them, how long each
    // step takes is a matter of who happens to get it.
    await scenario.startWorker();
    for (const worker of workers) worker.signal('SIGTERM');
    expect((await scenario.closed(plan)).status).toBe('succeeded');
  },
  300_000,
);

test.concurrent('of a failed job, a stranger quotes the log without the values that it never was given', async () => {
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
});

test.concurrent(
  'values are forgotten where the run was started, also when only strangers knew of its end',
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
    // On another machine the record would not be here either.
    await rm(plan.outputDir, { recursive: true });
    expect(await forgetStaleSecrets(bench.client, home)).toEqual([plan.invocation]);
    expect(await readdir(home.secrets)).toEqual([]);
  },
);
