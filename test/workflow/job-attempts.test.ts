import { access, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { EndpointPlan } from '../../src/contract/plan';
import { createLeptonClient } from '../../src/lepton/client';
import { emptyInventory, startBench, type Bench, type Scenario } from '../support/bench';
import { runPlan, withPool } from '../support/plans';

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.close());

const states = [['Running', '1s'], ['Completed']];
const ended = (by: string, times: number | 'inf' = 1) => ({
  default: { states, ended: { by, after: '300ms', times } },
});
const planOf = (scenario: Scenario, jobRetries: number) =>
  runPlan({ outputRoot: scenario.outputRoot, tasks: ['gsm8k'], limits: { jobRetries } });

/** What was asked of jobs, in order: `POST`, and `DELETE` of the first, `DELETE` of the second, … */
async function jobRequests(scenario: Scenario): Promise<string[]> {
  const requests = await scenario.platform.requests();
  return requests
    .filter(({ method, path: route }) => ['POST', 'DELETE'].includes(method) && route.startsWith('/jobs'))
    .map(({ method }) => method);
}

const isThere = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );

test.concurrent('a preempted job, shown as Completed, is followed by another one on the same endpoint', async () => {
  const scenario = await bench.scenario({ jobs: ended('preemption') });
  const plan = planOf(scenario, 2);
  await scenario.start(plan);
  const { status, snapshot } = await scenario.closed(plan);
  expect(status).toBe('succeeded');
  const [task] = snapshot.tasks;
  expect(task).toMatchObject({
    outcome: 'succeeded',
    job: `${plan.tasks[0]?.jobName}-2`,
    attempt: { number: 2, of: 3 },
    message: expect.stringContaining('Job attempt 1 was ended from outside'),
    earlierUsage: [{ endpoint: null, job: { from: expect.any(String), until: expect.any(String) } }],
  });
  expect(task?.partial).toBeUndefined();
  expect(Object.keys(task?.metrics ?? {})).not.toHaveLength(0);
  // One after the other: the first is gone before the second is submitted.
  expect(await jobRequests(scenario)).toEqual(['POST', 'DELETE', 'POST', 'DELETE']);
  const posts = (await scenario.platform.requests()).filter(
    ({ method, path: route }) => method === 'POST' && route === '/deployments',
  );
  expect(posts).toHaveLength(1);
  for (const file of ['job.log', 'job-attempt-1.log'])
    expect([file, await isThere(path.join(task?.outputDir ?? '', 'logs', file))]).toEqual([file, true]);
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
});

test.concurrent('after the last job that was allowed, the task fails with the reason', async () => {
  const scenario = await bench.scenario({ jobs: ended('node loss', 'inf') });
  const plan = planOf(scenario, 1);
  await scenario.start(plan);
  const { status, snapshot } = await scenario.closed(plan);
  expect(status).toBe('failed');
  expect(snapshot.tasks[0]).toMatchObject({
    attempt: { number: 2, of: 2 },
    error: { type: 'JobInterrupted', message: expect.stringContaining('NodeLost') },
  });
  expect(await jobRequests(scenario)).toEqual(['POST', 'DELETE', 'POST', 'DELETE']);
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
});

test.concurrent('a job that ran out of memory, or fails by itself, is not tried again', async () => {
  const failing = { default: { states: [['Running', '300ms'], ['Failed']], log: 'ValueError: no such task' } };
  for (const jobs of [ended('memory'), failing]) {
    const scenario = await bench.scenario({ jobs });
    const plan = planOf(scenario, 3);
    await scenario.start(plan);
    const { snapshot } = await scenario.closed(plan);
    expect(snapshot.tasks[0]?.error?.type).toBe('JobFailed');
    expect(snapshot.tasks[0]?.attempt).toBeUndefined();
    expect(await jobRequests(scenario)).toEqual(['POST', 'DELETE']);
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  }
});

/** The first job is ended, and its removal takes a while. */
const slowRemoval = { default: { states, deleting: '6s', ended: { by: 'eviction', after: '300ms' } } };

async function untilBetweenJobs(scenario: Scenario): Promise<void> {
  while ((await jobRequests(scenario)).at(-1) !== 'DELETE') await new Promise((resolve) => setTimeout(resolve, 50));
}

test.concurrent(
  'a cancel between two jobs: no other one is submitted, and what the first one wrote comes home',
  async () => {
    const scenario = await bench.scenario({ jobs: slowRemoval });
    const plan = planOf(scenario, 2);
    await scenario.start(plan);
    await untilBetweenJobs(scenario);
    await scenario.cancel(plan);
    const { status } = await scenario.closed(plan);
    expect(status).toBe('cancelled');
    expect((await jobRequests(scenario)).filter((method) => method === 'POST')).toHaveLength(1);
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  },
);

test.concurrent(
  'an endpoint that is lost with its job: another one follows, and the log that tells why stays',
  async () => {
    const scenario = await bench.scenario({ jobs: { default: { ...slowRemoval.default, deleting: '20s' } } });
    const plan = runPlan({
      outputRoot: scenario.outputRoot,
      tasks: ['gsm8k'],
      limits: { jobRetries: 1, teardownSeconds: 120 },
    });
    await scenario.start(plan);
    await untilBetweenJobs(scenario);
    const { url, token } = scenario.platform;
    const stopped = await fetch(`${url}/deployments/${plan.tasks[0]?.endpointName}`, {
      method: 'PATCH',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ spec: { resource_requirement: { min_replicas: 0 } } }),
    });
    expect(stopped.status).toBe(200);
    const { status, snapshot } = await scenario.closed(plan);
    const [task] = snapshot.tasks;
    expect([status, task?.error, task?.attempt]).toEqual(['succeeded', null, { number: 2, of: 2 }]);
    expect(task?.message).toContain('logs/endpoint-attempt-1.log');
    const [first, last] = await Promise.all(
      ['endpoint-attempt-1.log', 'endpoint.log'].map((file) =>
        readFile(path.join(task?.outputDir ?? '', 'logs', file), 'utf8'),
      ),
    );
    // The times of their lines tell them apart.
    expect([first, last]).toEqual([expect.stringContaining('Ready'), expect.stringContaining('Ready')]);
    expect(first).not.toBe(last);
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  },
);

test.concurrent('a worker that ends between two jobs: the next one goes on', async () => {
  const scenario = await bench.scenario({ jobs: slowRemoval });
  const plan = planOf(scenario, 2);
  await scenario.start(plan);
  await untilBetweenJobs(scenario);
  await scenario.startWorker();
  const { status, snapshot } = await scenario.closed(plan);
  expect(status).toBe('succeeded');
  expect(snapshot.tasks[0]?.attempt).toEqual({ number: 2, of: 3 });
  expect((await jobRequests(scenario)).filter((method) => method === 'POST')).toHaveLength(2);
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
});

test.concurrent('a task that is terminated while its second job runs: its run removes that job, too', async () => {
  const second = { name: '*-2', states: [['Running', '1h'], ['Completed']] };
  const scenario = await bench.scenario({ jobs: { ...ended('eviction'), match: [second] } });
  const plan = planOf(scenario, 2);
  await scenario.start(plan);
  const seen = await scenario.until(
    plan,
    ({ tasks: [task] }) => task?.phase === 'running job' && task.attempt?.number === 2,
  );
  expect(seen.tasks[0]?.job).toBe(`${plan.tasks[0]?.jobName}-2`);
  await bench.client.workflow.getHandle(`eval-${plan.invocation}.0`).terminate();
  const { status } = await scenario.closed(plan);
  expect(status).toBe('failed');
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
});

/** With a token for each endpoint, as real plans have it. */
function tokenMade(endpoint: EndpointPlan): EndpointPlan {
  if (endpoint.kind !== 'dedicated') throw new Error('the plan deploys endpoints');
  const made = { kind: 'made' } as const;
  const { spec, probe } = endpoint;
  return { ...endpoint, spec: { ...spec, apiTokens: [made] }, probe: { ...probe, token: made } };
}

test.concurrent('of tasks that share endpoints: another job, and no other endpoint', async () => {
  const scenario = await bench.scenario({
    jobs: { default: { states }, match: [{ name: '*-gsm8k-*', ...ended('preemption').default }] },
  });
  const own = runPlan({ outputRoot: scenario.outputRoot, tasks: ['gsm8k', 'mmlu'], limits: { jobRetries: 2 } });
  const plan = withPool({ ...own, endpoint: tokenMade(own.endpoint) }, 1);
  await scenario.start(plan);
  const { status, snapshot } = await scenario.closed(plan);
  expect([status, snapshot.tasks.map(({ attempt }) => attempt)]).toEqual([
    'succeeded',
    [{ number: 2, of: 3 }, undefined],
  ]);
  const requests = await scenario.platform.requests();
  const posts = requests.filter(({ method, path: route }) => method === 'POST' && route === '/deployments');
  expect(posts).toHaveLength(1);
  expect(requests.filter(({ path: route }) => route === '/deployments/')).toEqual([]);
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
});

test.concurrent('the shared endpoint was lost with the job: the task fails, and says so', async () => {
  const scenario = await bench.scenario({ jobs: slowRemoval });
  const plan = withPool(planOf(scenario, 2), 1);
  await scenario.start(plan);
  await untilBetweenJobs(scenario);
  await createLeptonClient(scenario.platform).deleteDeployment(plan.sharedEndpoints?.[0]?.endpointName ?? '');
  const { status, snapshot } = await scenario.closed(plan);
  expect([status, snapshot.tasks[0]?.error?.type]).toEqual(['failed', 'SharedEndpointFailed']);
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
});
