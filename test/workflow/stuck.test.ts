import type { RunPlan, TaskPlan } from '../../src/contract/plan';
import { emptyInventory, startBench, type Bench, type Scenario } from '../support/bench';
import { until } from '../support/command';
import { runPlan } from '../support/plans';

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.close());

const upSoon = { states: [['Starting', '100ms'], ['Ready']] };
const jobSoon = { states: [['Running', '300ms'], ['Completed']] };
const endless = { states: [['Running', '1h'], ['Completed']] };

interface Stuck {
  /** Name of the task, and part of the names of its resources. */
  readonly name: string;
  readonly endpoint?: object;
  readonly job?: object;
  readonly error: { readonly type: string; readonly message: RegExp };
}

const ways: readonly Stuck[] = [
  {
    // The model server lists the model, but never answers a completion.
    name: 'hangs',
    endpoint: { ...upSoon, hangs: true },
    error: { type: 'EndpointReadinessTimeout', message: /after 45 s.*\/v1\/completions does not answer/ },
  },
  {
    // In state Ready, but without a running replica.
    name: 'no-replica',
    endpoint: { ...upSoon, replicas: 0 },
    error: { type: 'EndpointReadinessTimeout', message: /after 45 s.*no replica is up/ },
  },
  {
    name: 'queued',
    job: { states: [['Queueing', '1h', 'no shape cpu.small is free'], ['Completed']] },
    error: { type: 'JobTimeout', message: /within 120 s.*Queueing: no shape cpu.small is free; its endpoint: answers/ },
  },
  {
    name: 'flaps',
    endpoint: {
      states: [['Starting', '100ms'], ['Ready', '40s'], ['Error', '20s', 'CUDA error: device lost'], ['Ready']],
    },
    job: endless,
    error: { type: 'EndpointFailed', message: /died while its job ran: Error.*device lost/ },
  },
  {
    name: 'stays-away',
    endpoint: {
      states: [['Starting', '100ms'], ['Ready', '40s'], ['Not Ready', '1h', 'engine core died, restarting'], ['Ready']],
    },
    job: endless,
    error: { type: 'EndpointFailed', message: /was not Ready for 45 s while its job ran: Not Ready.*engine core died/ },
  },
  {
    // The endpoint hangs while its job runs.
    name: 'hangs-later',
    endpoint: { ...upSoon, hangs: '40s' },
    job: endless,
    error: {
      type: 'JobTimeout',
      message: /within 120 s \(last state: Running; its endpoint: \/v1\/completions does not answer/,
    },
  },
];

/** Interruptions and delays that end in time, and fail no task. */
const harmless = [
  {
    name: 'comes-back',
    endpoint: {
      states: [['Starting', '100ms'], ['Ready', '40s'], ['Not Ready', '2s', 'routes settle'], ['Ready']],
    },
    job: { states: [['Running', '60s'], ['Completed']] },
  },
  // Health and model listing answer; the first completion takes long.
  { name: 'slow-first', endpoint: { ...upSoon, warms: '4s' } },
];

test.concurrent(
  'every kind of stuck task fails in bounded time with its reason, and no other task is affected',
  async () => {
    const all = [...ways, ...harmless];
    const matching = (what: 'endpoint' | 'job', rules: readonly (Partial<Stuck> & { name: string })[]): object[] =>
      rules.flatMap(({ name, ...rule }) => (rule[what] ? [{ name: `*-${name}-?-*`, ...rule[what] }] : []));
    const scenario = await bench.scenario({
      endpoints: { default: upSoon, match: matching('endpoint', all) },
      jobs: { default: jobSoon, match: matching('job', all) },
    });
    const plan = runPlan({
      outputRoot: scenario.outputRoot,
      tasks: ['first', ...all.map(({ name }) => name), 'last'],
      limits: { endpointReadySeconds: 45, jobSeconds: 120 },
      change: { startPolicy: 'as_ready' },
    });
    const begin = Date.now();
    await scenario.start(plan);
    const { status, snapshot } = await scenario.closed(plan, 400_000);
    expect(Date.now() - begin).toBeLessThan(400_000);
    expect(status).toBe('failed');
    const errors = snapshot.tasks.map(({ name, error }) => [name, error]);
    expect(errors).toEqual([
      ['first', null],
      ...ways.map(({ name, error }) => [name, { ...error, message: expect.stringMatching(error.message) }]),
      ...harmless.map(({ name }) => [name, null]),
      ['last', null],
    ]);
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  },
  600_000,
);

test.concurrent(
  'an endpoint that dies while it waits for the others fails its task at once, not after they are up',
  async () => {
    const scenario = await bench.scenario({
      endpoints: {
        default: { states: [['Starting', '1h'], ['Ready']] },
        match: [{ name: '*arc*', states: [['Ready', '8s'], ['Error', '1h', 'node lost'], ['Ready']] }],
      },
    });
    const plan = sleepless(runPlan({ outputRoot: scenario.outputRoot, limits: { endpointReadySeconds: 600 } }), 9);
    await scenario.start(plan);
    const { tasks } = await scenario.until(plan, ({ tasks: all }) => all[1]?.phase === 'done');
    expect(tasks[1]?.error).toEqual({
      type: 'EndpointFailed',
      message: expect.stringMatching(/died while it waited for the others: Error: node lost/),
    });
    expect(tasks.filter(({ phase }) => phase === 'awaiting ready')).toHaveLength(2);
    await scenario.cancel(plan);
    await scenario.closed(plan);
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  },
);

async function phaseOf({ platform }: Scenario, task: TaskPlan | undefined): Promise<unknown> {
  const headers = { authorization: `Bearer ${platform.token}` };
  const response = await fetch(`${platform.url}/deployments/${task?.endpointName ?? ''}`, { headers });
  return ((await response.json()) as { status?: { phase?: string } }).status?.phase;
}

/** The plan with endpoints that the platform scales to zero after `seconds` without a request. */
function sleepless(plan: RunPlan, seconds: number): RunPlan {
  const { endpoint } = plan;
  if (endpoint.kind !== 'dedicated') throw new Error('the plan deploys endpoints');
  const body = { ...endpoint.spec.body, auto_scaler: { scale_down: { no_traffic_timeout: seconds } } };
  return { ...plan, endpoint: { ...endpoint, spec: { ...endpoint.spec, body } } };
}

describe('endpoints that are scaled to zero after 9 s without a request', () => {
  test.concurrent('stay up while they wait for the slowest one, and while jobs send no requests', async () => {
    const scenario = await bench.scenario({
      endpoints: {
        default: { states: [['Starting', '100ms'], ['Ready']] },
        match: [{ name: '*wino*', states: [['Starting', '20s'], ['Ready']] }],
      },
      jobs: { default: { states: [['Running', '20s'], ['Completed']] } },
    });
    const plan = sleepless(runPlan({ outputRoot: scenario.outputRoot }), 9);
    await scenario.start(plan);
    const { status, snapshot } = await scenario.closed(plan);
    expect({ status, errors: snapshot.tasks.map(({ error }) => error) }).toEqual({
      status: 'succeeded',
      errors: [null, null, null],
    });
  });

  test.concurrent('are scaled down by the platform when no worker is left to send requests', async () => {
    const scenario = await bench.scenario({ jobs: { default: { states: [['Running', '1h'], ['Completed']] } } });
    const plan = sleepless(runPlan({ outputRoot: scenario.outputRoot, tasks: ['hellaswag'] }), 9);
    await scenario.start(plan);
    await scenario.until(plan, ({ tasks }) => tasks[0]?.phase === 'running job');
    const stopped = await scenario.startWorker();
    await stopped();
    await until('it is scaled to zero', async () => (await phaseOf(scenario, plan.tasks[0])) === 'Stopped');
    // When a worker is back, the task fails with that reason.
    await scenario.startWorker();
    const { snapshot } = await scenario.closed(plan);
    expect(snapshot.tasks[0]?.error).toEqual({
      type: 'EndpointFailed',
      message: expect.stringMatching(/died while its job ran: Stopped: scaled to zero: no request came for 9 s/),
    });
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  });
});
