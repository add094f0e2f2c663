import type { EndpointPlan, RunPlan } from '../../src/contract/plan';
import { creations, emptyInventory, startBench, type Bench, type Scenario } from '../support/bench';
import { sendJson, startServer, type TestServer } from '../support/http-server';
import { runPlan, type PlanOptions } from '../support/plans';

/** What "Ready" requires besides the platform's state, and what status shows until then. */

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.close());

const one = (scenario: Scenario, options: Omit<PlanOptions, 'outputRoot'> = {}): RunPlan =>
  runPlan({ outputRoot: scenario.outputRoot, tasks: ['hellaswag'], ...options });

const dedicated = (plan: RunPlan): Extract<EndpointPlan, { kind: 'dedicated' }> => {
  if (plan.endpoint.kind !== 'dedicated') throw new Error('not a plan with endpoints');
  return plan.endpoint;
};

const withSpec = (plan: RunPlan, change: Partial<ReturnType<typeof dedicated>['spec']>): RunPlan => {
  const endpoint = dedicated(plan);
  return { ...plan, endpoint: { ...endpoint, spec: { ...endpoint.spec, ...change } } };
};

const ask = async (scenario: Scenario, method: string, path: string, body?: unknown): Promise<unknown> => {
  const { url, token } = scenario.platform;
  const response = await fetch(`${url}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}`);
  return response.json().catch(() => undefined);
};

test.concurrent('status shows the start-up phases of the endpoint and why the job is queued', async () => {
  const scenario = await bench.scenario({
    endpoints: {
      default: {
        states: [['Starting', '8s', 'pulling image'], ['Starting', '6s', 'the server is loading'], ['Ready']],
      },
    },
    jobs: { default: { states: [['Queueing', '8s', 'no h200 is free'], ['Running', '300ms'], ['Completed']] } },
  });
  const plan = one(scenario);
  await scenario.start(plan);
  const seen = new Set<string>();
  await scenario.until(plan, ({ tasks: [task] }) => {
    if (task?.message) seen.add(task.message);
    return task?.message === 'Queueing: no h200 is free';
  });
  expect([...seen]).toEqual(
    expect.arrayContaining(['Starting: pulling image', 'Starting: the server is loading', 'Queueing: no h200 is free']),
  );
  expect((await scenario.closed(plan)).status).toBe('succeeded');
});

test.concurrent('503 just after Ready: no job is submitted yet, and status gives the reason', async () => {
  const scenario = await bench.scenario({
    endpoints: { default: { states: [['Starting', '100ms'], ['Ready']], unhealthy: '8s' } },
  });
  const plan = one(scenario);
  await scenario.start(plan);
  await scenario.until(plan, ({ tasks: [task] }) => task?.message === 'Ready, but /health answers 503');
  expect(await creations(scenario.platform, '/jobs')).toBe(0);
  expect((await scenario.closed(plan)).status).toBe('succeeded');
});

test.concurrent('an endpoint that serves another model fails its task at once, and is removed', async () => {
  const scenario = await bench.scenario({ endpoints: { default: { states: [['Ready']], serves: 'other/model' } } });
  const plan = one(scenario, { limits: { endpointReadySeconds: 3_600 } });
  await scenario.start(plan);
  const { snapshot } = await scenario.closed(plan);
  expect(snapshot.tasks[0]?.error).toMatchObject({
    type: 'EndpointMismatch',
    message: expect.stringMatching(/serves "other\/model", but the run requests "test\/model"/),
  });
  expect(await creations(scenario.platform, '/jobs')).toBe(0);
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
});

test.concurrent('an endpoint in state Ready without a running replica is not Ready', async () => {
  const scenario = await bench.scenario({ endpoints: { default: { states: [['Ready']] } } });
  const body = { resource_requirement: { resource_shape: 'gpu.1xh200', min_replicas: 0, max_replicas: 1 } };
  const plan = withSpec(one(scenario, { limits: { endpointReadySeconds: 6 } }), { body });
  await scenario.start(plan);
  const { snapshot } = await scenario.closed(plan);
  expect(snapshot.tasks[0]?.error).toMatchObject({
    type: 'EndpointReadinessTimeout',
    message: expect.stringContaining('Ready, but no replica is up'),
  });
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
});

test.concurrent(
  'a protected endpoint: endpoint and job get the token by reference, and a 401 counts as up',
  async () => {
    const scenario = await bench.scenario({
      jobs: { default: { states: [['Running', '8s'], ['Completed']] } },
    });
    await ask(scenario, 'POST', '/usersecrets', [{ name: 'ENDPOINT_KEY', value: 'the-value' }]);
    const secret = { kind: 'workspace', name: 'ENDPOINT_KEY' } as const;
    const bare = withSpec(one(scenario), { apiTokens: [secret] });
    const plan: RunPlan = {
      ...bare,
      endpoint: { ...dedicated(bare), probe: { ...dedicated(bare).probe, token: secret, healthPath: null } },
      tasks: bare.tasks.map((task) => ({
        ...task,
        job: { ...task.job, envs: [...task.job.envs, { name: 'API_KEY', secret }] },
      })),
    };
    await scenario.start(plan);
    const { tasks } = await scenario.until(plan, ({ tasks: [task] }) => task?.phase === 'running job');
    const name = tasks[0]?.endpoint ?? '';
    const deployment = (await ask(scenario, 'GET', `/deployments/${name}`)) as {
      spec: object;
      status: { endpoint: { external_endpoint: string } };
    };
    expect(deployment.spec).toMatchObject({ api_tokens: [{ value_from: { token_name_ref: 'ENDPOINT_KEY' } }] });
    const models = `${deployment.status.endpoint.external_endpoint}/v1/models`;
    expect((await fetch(models)).status).toBe(401);
    const { jobs } = (await ask(scenario, 'GET', '/jobs?page=1&page_size=10')) as {
      jobs: { spec: { envs: object[] } }[];
    };
    expect(jobs[0]?.spec.envs).toContainEqual({ name: 'API_KEY', value_from: { secret_name_ref: 'ENDPOINT_KEY' } });
    expect((await scenario.closed(plan)).status).toBe('succeeded');
  },
);

test.concurrent.each(['endpoint', 'job'] as const)(
  'an unknown node group of the %s is refused with a list of the existing ones',
  async (kind) => {
    const scenario = await bench.scenario();
    const bare = one(scenario);
    const plan =
      kind === 'endpoint'
        ? withSpec(bare, { nodeGroup: 'nowhere' })
        : { ...bare, tasks: bare.tasks.map((task) => ({ ...task, job: { ...task.job, nodeGroup: 'nowhere' } })) };
    await scenario.start(plan);
    const { snapshot } = await scenario.closed(plan);
    expect(snapshot.tasks[0]?.error).toMatchObject({
      type: 'RequestRefused',
      message: expect.stringMatching(/node group "nowhere" is not in this workspace. It has: local \(local-/),
    });
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  },
);

test.concurrent.each([
  ['by name', 'name'],
  ['by id', 'id'],
] as const)('a node group given %s becomes its id in both specs', async (_, key) => {
  const scenario = await bench.scenario({ jobs: { default: { states: [['Running', '8s'], ['Completed']] } } });
  const [group] = (await ask(scenario, 'GET', '/dedicated-node-groups')) as {
    metadata: { id: string; name: string };
  }[];
  const nodeGroup = group?.metadata[key] ?? '';
  const bare = withSpec(one(scenario), { nodeGroup });
  const plan = { ...bare, tasks: bare.tasks.map((task) => ({ ...task, job: { ...task.job, nodeGroup } })) };
  await scenario.start(plan);
  const { tasks } = await scenario.until(plan, ({ tasks: [task] }) => task?.phase === 'running job');
  const affinity = { allowed_dedicated_node_groups: [group?.metadata.id] };
  expect(await ask(scenario, 'GET', `/deployments/${tasks[0]?.endpoint}`)).toMatchObject({
    spec: { resource_requirement: { affinity } },
  });
  expect(await ask(scenario, 'GET', '/jobs?page=1')).toMatchObject({ jobs: [{ spec: { affinity } }] });
  expect((await scenario.closed(plan)).status).toBe('succeeded');
});

describe('an existing endpoint', () => {
  let server: TestServer;
  afterEach(() => server.close());

  const existing = (scenario: Scenario, url: string): RunPlan => {
    const plan = one(scenario);
    const { probe } = dedicated(plan);
    return {
      ...plan,
      endpoint: { kind: 'existing', url, probe: { ...probe, healthPath: null } },
      tasks: plan.tasks.map((task) => ({ ...task, endpointName: null, endpointPath: '' })),
    };
  };

  test('without a model listing (404) is used if it answers a completion, and nothing is deployed', async () => {
    server = await startServer(({ method, url }, response) =>
      sendJson(response, {}, method === 'POST' && url === '/v1/completions' ? 200 : 404),
    );
    const scenario = await bench.scenario();
    const plan = existing(scenario, `${server.url}/v1/completions`);
    await scenario.start(plan);
    expect((await scenario.closed(plan)).status).toBe('succeeded');
    expect(server.seen.map(({ method, url }) => `${method} ${url}`)).toEqual([
      'GET /v1/models',
      'POST /v1/completions',
    ]);
    expect(await creations(scenario.platform, '/deployments')).toBe(0);
  });

  test.each([
    { name: 'five times is retried: a gateway may have lost its route', lost: 5, status: 'succeeded', asked: 6 },
    { name: 'six times fails its task', lost: Infinity, status: 'failed', asked: 6 },
    { name: 'three times about this model fails its task', lost: Infinity, about: true, status: 'failed', asked: 3 },
  ])('that answers completions with 404 $name', async ({ lost, about, status, asked }) => {
    const message = about ? 'The model `test/model` does not exist.' : 'no Route matched with those values';
    let count = 0;
    server = await startServer(({ method }, response) => {
      if (method === 'POST') count += 1;
      const isLost = method !== 'POST' || count <= lost;
      sendJson(response, isLost ? { message } : {}, isLost ? 404 : 200);
    });
    const scenario = await bench.scenario();
    const plan = existing(scenario, `${server.url}/v1/completions`);
    await scenario.start(plan);
    const { snapshot, status: seen } = await scenario.closed(plan);
    expect(seen).toBe(status);
    if (status === 'failed') expect(snapshot.tasks[0]?.error).toMatchObject({ type: 'EndpointMismatch' });
    // The simulated jobs ask nothing.
    expect(count).toBe(asked);
  });

  test('that requires a key the run does not have fails its task at once, before any job', async () => {
    server = await startServer((_, response) => sendJson(response, {}, 401));
    const scenario = await bench.scenario();
    const plan = existing(scenario, `${server.url}/v1/completions`);
    await scenario.start(plan);
    const { snapshot } = await scenario.closed(plan);
    expect(snapshot.tasks[0]?.error).toMatchObject({
      type: 'EndpointMismatch',
      message: expect.stringContaining('requires a key (401)'),
    });
    expect(await creations(scenario.platform, '/jobs')).toBe(0);
  });
});
