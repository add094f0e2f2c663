import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { creations, emptyInventory, startBench, type Bench } from '../support/bench';
import { runPlan } from '../support/plans';

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.close());

describe('a run', () => {
  test.concurrent(
    'creates all endpoints at once, runs a job on each, fetches the results and leaves nothing',
    async () => {
      const scenario = await bench.scenario();
      const plan = runPlan({ outputRoot: scenario.outputRoot });
      await scenario.start(plan);
      const { status, snapshot } = await scenario.closed(plan);

      expect(status).toBe('succeeded');
      expect(snapshot.tasks.map(({ outcome }) => outcome)).toEqual(['succeeded', 'succeeded', 'succeeded']);
      for (const task of snapshot.tasks) {
        expect(Object.keys(task.metrics)).not.toHaveLength(0);
        expect(await readFile(path.join(task.outputDir ?? '', 'results.yml'), 'utf8')).toContain('results');
        expect(task.left).toEqual([]);
      }
      expect(await scenario.platform.inventory()).toEqual(emptyInventory);
      expect(await creations(scenario.platform, '/deployments')).toBe(3);
      expect(await creations(scenario.platform, '/jobs')).toBe(3);
      const record = JSON.parse(await readFile(path.join(plan.outputDir, 'run.json'), 'utf8'));
      expect(record).toMatchObject({ outcome: 'succeeded', model: 'test/model', teardown: { left: [], kept: [] } });
    },
  );

  test.concurrent('all_ready: no job is submitted before the slowest endpoint is Ready', async () => {
    const scenario = await bench.scenario({
      endpoints: {
        default: { states: [['Starting', '100ms'], ['Ready']] },
        match: [{ name: '*wino*', states: [['Starting', '2s'], ['Ready']] }],
      },
    });
    const plan = runPlan({ outputRoot: scenario.outputRoot });
    await scenario.start(plan);
    expect((await scenario.closed(plan)).status).toBe('succeeded');
    const requests = await scenario.platform.requests();
    const firstCreate = requests.find(({ method, path: route }) => method === 'POST' && route === '/deployments');
    const firstJob = requests.find(({ method, path: route }) => method === 'POST' && route === '/jobs');
    expect(Date.parse(firstJob?.at ?? '') - Date.parse(firstCreate?.at ?? '')).toBeGreaterThanOrEqual(1_900);
  });

  test.concurrent(
    'as_ready: a job starts as soon as its own endpoint is Ready, which is removed when the job is over',
    async () => {
      const scenario = await bench.scenario({
        endpoints: {
          default: { states: [['Starting', '100ms'], ['Ready']] },
          match: [{ name: '*wino*', states: [['Starting', '1h'], ['Ready']] }],
        },
      });
      const plan = runPlan({ outputRoot: scenario.outputRoot, change: { startPolicy: 'as_ready' } });
      await scenario.start(plan);
      await scenario.until(plan, ({ tasks }) => tasks[0]?.phase === 'done' && tasks[2]?.phase === 'awaiting ready');
      expect((await scenario.platform.inventory()).deployments).not.toContain(plan.tasks[0]?.endpointName);
      await scenario.cancel(plan);
      const { status, snapshot } = await scenario.closed(plan);
      expect(status).toBe('cancelled');
      expect(snapshot.tasks[0]?.outcome).toBe('succeeded');
      expect(await scenario.platform.inventory()).toEqual(emptyInventory);
    },
  );

  test.concurrent.each(['all_ready', 'as_ready'] as const)(
    '%s: at most max_parallel_endpoints endpoints exist at once',
    async (startPolicy) => {
      const scenario = await bench.scenario();
      const tasks = ['t-one', 't-two', 't-three', 't-four', 't-five'];
      const plan = runPlan({
        outputRoot: scenario.outputRoot,
        tasks,
        change: { startPolicy, maxParallelEndpoints: 2 },
      });
      let most = 0;
      await scenario.start(plan);
      const waiting = await scenario.until(plan, ({ phase }) => phase !== 'starting');
      expect(waiting.tasks[4]?.message).toContain('waits for a free place: at most 2 at once');
      const closed = scenario.closed(plan);
      let over = false;
      void closed.finally(() => (over = true));
      while (!over) most = Math.max(most, (await scenario.platform.inventory()).deployments.length);
      const { status, snapshot } = await closed;
      expect(status).toBe('succeeded');
      expect(snapshot.tasks.map(({ message }) => message)).not.toContainEqual(expect.stringContaining('free place'));
      expect(most).toBe(2);
      expect(await creations(scenario.platform, '/deployments')).toBe(5);
    },
  );
});

describe('platform failures', () => {
  test.concurrent('an endpoint in Error: its task fails with the reason, the other tasks complete', async () => {
    const scenario = await bench.scenario({
      endpoints: {
        default: { states: [['Starting', '100ms'], ['Ready']] },
        match: [{ name: '*arc*', states: [['Starting', '200ms'], ['Error']], message: 'image pull failed' }],
      },
    });
    const plan = runPlan({ outputRoot: scenario.outputRoot });
    await scenario.start(plan);
    const { status, snapshot } = await scenario.closed(plan);
    expect(status).toBe('failed');
    expect(snapshot.tasks.map(({ outcome }) => outcome)).toEqual(['succeeded', 'failed', 'succeeded']);
    expect(snapshot.tasks[1]?.error).toMatchObject({
      type: 'EndpointFailed',
      message: expect.stringContaining('image pull failed'),
    });
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  });

  test.concurrent('on_task_failure abort: an endpoint that fails before the barrier aborts the run', async () => {
    const scenario = await bench.scenario({
      endpoints: {
        default: { states: [['Starting', '1h'], ['Ready']] },
        match: [{ name: '*arc*', states: [['Starting', '200ms'], ['Error']], message: 'no such image' }],
      },
    });
    const plan = runPlan({ outputRoot: scenario.outputRoot, change: { onTaskFailure: 'abort' } });
    await scenario.start(plan);
    const { status, snapshot } = await scenario.closed(plan);
    expect(status).toBe('failed');
    expect(snapshot.tasks.map(({ outcome }) => outcome)).toEqual(['cancelled', 'failed', 'cancelled']);
    expect(snapshot.tasks[0]?.error?.type).toBe('AbortedBySibling');
    expect(await creations(scenario.platform, '/jobs')).toBe(0);
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  });

  test.concurrent('an endpoint that never becomes Ready fails its task at the readiness timeout', async () => {
    const scenario = await bench.scenario({
      endpoints: { default: { states: [['Starting', '1h'], ['Ready']], message: 'pulling image' } },
    });
    const plan = runPlan({
      outputRoot: scenario.outputRoot,
      tasks: ['hellaswag'],
      limits: { endpointReadySeconds: 2 },
    });
    await scenario.start(plan);
    const { snapshot } = await scenario.closed(plan);
    expect(snapshot.tasks[0]?.error).toMatchObject({
      type: 'EndpointReadinessTimeout',
      message: expect.stringContaining('after 2 s'),
    });
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  });

  test.concurrent('a failed job: the error has the reason and the last log line, and the log is saved', async () => {
    const scenario = await bench.scenario({
      jobs: {
        default: quickJob,
        match: [{ name: '*wino*', states: [['Running', '300ms'], ['Failed']], log: 'CUDA out of memory' }],
      },
    });
    const plan = runPlan({ outputRoot: scenario.outputRoot });
    await scenario.start(plan);
    const { status, snapshot } = await scenario.closed(plan);
    expect(status).toBe('failed');
    expect(snapshot.tasks[2]?.error).toMatchObject({
      type: 'JobFailed',
      message: expect.stringContaining('CUDA out of memory'),
    });
    expect(await readFile(path.join(snapshot.tasks[2]?.outputDir ?? '', 'logs', 'job.log'), 'utf8')).toContain(
      'CUDA out of memory',
    );
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  });

  test.concurrent('a job that never ends fails its task at the job timeout', async () => {
    const scenario = await bench.scenario({ jobs: { default: { states: [['Queueing', '1h'], ['Completed']] } } });
    const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['hellaswag'], limits: { jobSeconds: 5 } });
    await scenario.start(plan);
    const { snapshot } = await scenario.closed(plan);
    expect(snapshot.tasks[0]?.error).toMatchObject({
      type: 'JobTimeout',
      message: expect.stringContaining('Queueing'),
    });
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  });

  test.concurrent.each([
    ['creates that answer 503 for a while', { on: 'POST /deployments', times: 4, respond: 503 }],
    ['look-ups that answer 503 for a while', { on: 'GET /deployments', times: 6, respond: 503 }],
    [
      'a create that takes effect although its connection is cut',
      { on: 'POST /deployments', name: '*hella*', times: 1, respond: 'drop', apply: true },
    ],
    ['a create whose connection is cut before it takes effect', { on: 'POST /deployments', times: 2, respond: 'drop' }],
    [
      'a job submission that takes effect although its connection is cut',
      { on: 'POST /jobs', times: 3, respond: 'drop', apply: true },
    ],
    ['a delete answered 404', { on: 'DELETE /deployments/*', times: 3, respond: 404, apply: true }],
    ['a delete answered 500 at first', { on: 'DELETE /deployments/*', times: 3, respond: 500 }],
    ['429 with Retry-After', { on: 'POST /jobs', times: 2, respond: 429, retry_after: 1 }],
    ['storage that answers 503 at first', { on: 'GET /storage/**', times: 3, respond: 503 }],
  ])('%s: the run succeeds with one endpoint and one job per task', async (_, fault) => {
    const scenario = await bench.scenario({ faults: [fault] });
    const plan = runPlan({ outputRoot: scenario.outputRoot });
    await scenario.start(plan);
    const { status, snapshot } = await scenario.closed(plan);
    expect({ status, errors: snapshot.tasks.map(({ error }) => error) }).toEqual({
      status: 'succeeded',
      errors: [null, null, null],
    });
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
    const cutOff = 'apply' in fault && fault.respond === 'drop';
    expect(await creations(scenario.platform, '/deployments', { cutOff })).toBe(3);
    expect(await creations(scenario.platform, '/jobs', { cutOff })).toBe(3);
  });

  test.concurrent('a refused create fails its task at once, and the other tasks succeed', async () => {
    const scenario = await bench.scenario({
      faults: [{ on: 'POST /deployments', name: '*hella*', times: 'inf', respond: 422 }],
    });
    const plan = runPlan({ outputRoot: scenario.outputRoot });
    await scenario.start(plan);
    const { snapshot } = await scenario.closed(plan);
    expect(snapshot.tasks.map(({ outcome }) => outcome)).toEqual(['failed', 'succeeded', 'succeeded']);
    expect(snapshot.tasks[0]?.error?.type).toBe('RequestRefused');
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  });

  test.concurrent('rejected credentials fail the tasks without hours of retries', async () => {
    const scenario = await bench.scenario({ faults: [{ on: 'POST /deployments', times: 'inf', respond: 401 }] });
    const plan = runPlan({ outputRoot: scenario.outputRoot });
    await scenario.start(plan);
    const { snapshot } = await scenario.closed(plan);
    expect(snapshot.tasks.map(({ error }) => error?.type)).toEqual(Array(3).fill('CredentialsRefused'));
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  });

  test.concurrent(
    'a deletion that is always refused ends the run as TeardownIncomplete, which names what is left',
    async () => {
      const scenario = await bench.scenario({
        faults: [{ on: 'DELETE /deployments/*hella*', times: 'inf', respond: 403 }],
      });
      const plan = runPlan({ outputRoot: scenario.outputRoot, limits: { teardownSeconds: 15 } });
      await scenario.start(plan);
      const { status, failure, snapshot } = await scenario.closed(plan);
      expect(status).toBe('failed');
      expect(failure?.type).toBe('TeardownIncomplete');
      expect(snapshot.left).toEqual([expect.objectContaining({ kind: 'endpoint', name: plan.tasks[0]?.endpointName })]);
      expect(snapshot.tasks.map(({ outcome }) => outcome)).toEqual(['succeeded', 'succeeded', 'succeeded']);
      expect((await scenario.platform.inventory()).deployments).toEqual([plan.tasks[0]?.endpointName]);
    },
  );
});

const quickJob = { states: [['Running', '300ms'], ['Completed']] };
