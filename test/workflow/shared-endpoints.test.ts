import { sweep } from '../../src/cleanup/sweep';
import { tokenSecretName } from '../../src/contract/endpoint-token';
import { costDocument } from '../../src/contract/cost';
import { runWorkflowId, sharedIndex, taskWorkflowId } from '../../src/contract/identity';
import type { RunPlan } from '../../src/contract/plan';
import type { RunSnapshot } from '../../src/contract/state';
import { createLeptonClient } from '../../src/lepton/client';
import { startInBatches } from '../support/batched-run';
import { creations, emptyInventory, startBench, type Bench, type Scenario } from '../support/bench';
import { runPlan, withPool } from '../support/plans';

/** An endpoint that several tasks use, such as a judge: it is there for all of them, and gone when none is left. */

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.close());

const endless = { default: { states: [['Running', '1h'], ['Completed']] } };
const noLogs = [
  { on: 'GET /deployments/*/replicas', times: 'inf', respond: 500 },
  { on: 'GET /logs', times: 'inf', respond: 500 },
];
const brief = { default: { states: [['Running', '500ms'], ['Completed']] } };

/** Two tasks ask the judge; the third doesn't. */
function judgedPlan({ outputRoot }: Scenario, change: Partial<RunPlan> = {}): RunPlan {
  const plan = runPlan({ outputRoot, tasks: ['aime', 'math', 'hellaswag'], change });
  if (plan.endpoint.kind !== 'dedicated') throw new Error('the plan deploys endpoints');
  const name = judgeOf(plan);
  const made = { kind: 'made' } as const;
  const { spec, probe } = plan.endpoint;
  const endpoint = {
    kind: 'dedicated',
    spec: { ...spec, apiTokens: [made] },
    probe: { ...probe, token: made },
  } as const;
  return {
    ...plan,
    sharedEndpoints: [{ name: 'judge', endpointName: name, endpoint, folder: 'endpoint-judge', endpointPerHour: 3600 }],
    tasks: plan.tasks.map((task) =>
      task.index === 2
        ? task
        : {
            ...task,
            uses: [{ endpoint: 0, variables: { JUDGE_CHAT_URL: '/v1/chat/completions' } }],
            job: {
              ...task.job,
              envs: [
                ...task.job.envs,
                { name: 'ASKS', value: 'at ***evalsaga-url:JUDGE_CHAT_URL***' },
                { name: 'JUDGE_API_KEY', secret: { kind: 'workspace', name: secretOf(plan) } },
              ],
            },
          },
    ),
  };
}

const judgeOf = ({ invocation }: RunPlan): string => `vllm-judge-e0-${invocation.slice(0, 8)}`;
const secretOf = (plan: RunPlan): string => tokenSecretName(plan.invocation, judgeOf(plan));
const workflowOf = ({ client }: Scenario, { invocation }: RunPlan, index: number) =>
  client.workflow.getHandle(taskWorkflowId(invocation, index));
const running = (scenario: Scenario, plan: RunPlan): Promise<RunSnapshot> =>
  scenario.until(plan, ({ tasks }) => tasks.every(({ phase }) => phase === 'running job'));
const outcomes = ({ tasks }: RunSnapshot) => tasks.map(({ outcome, error }) => [outcome, error?.type ?? null]);

async function expectNothingLeft({ platform }: Scenario): Promise<void> {
  expect(await platform.inventory()).toEqual(emptyInventory);
  expect(await createLeptonClient(platform).listSecretNames()).toEqual([]);
}

const startPlainly = (scenario: Scenario, plan: RunPlan): Promise<void> => scenario.start(plan);

describe.each([
  { how: 'all_ready', start: startPlainly },
  { how: 'as_ready', start: startPlainly },
  { how: 'as_ready', start: startInBatches, within: ' in batches' },
] as const)('$how$within', ({ how, start }) => {
  test.concurrent('jobs that use it wait for it, know it, and it goes with the last of them', async () => {
    const scenario = await bench.scenario({
      endpoints: {
        default: { states: [['Starting', '200ms'], ['Ready']] },
        match: [{ name: '*-judge-*', states: [['Starting', '8s'], ['Ready']] }],
      },
      jobs: { default: { states: [['Running', '10s'], ['Completed']] } },
    });
    const budget = { limit: 100, currency: 'USD', endpointPerHour: 1, jobPerHour: 1 };
    const plan = judgedPlan(scenario, { startPolicy: how, budget });
    await start(scenario, plan);
    if (how === 'as_ready') {
      const before = await scenario.until(plan, ({ tasks }) => tasks[2]?.phase === 'running job');
      expect(before.tasks[0]?.job).toBeNull();
      expect(before.shared?.[0]).toMatchObject({ name: 'judge', index: -1, phase: 'awaiting ready' });
    }
    await scenario.until(plan, ({ tasks }) => [0, 1].every((index) => tasks[index]?.phase === 'running job'));
    const client = createLeptonClient(scenario.platform);
    const judge = await client.getDeployment(judgeOf(plan));
    const url = `${judge?.status?.endpoint?.external_endpoint}/v1/chat/completions`;
    expect(judge?.spec.envs).toContainEqual({ name: 'EVALSAGA_TASK', value: 'e0' });
    const jobs = await client.listJobs();
    const [first, , last] = plan.tasks.map(({ jobName }) => jobs.find(({ metadata }) => metadata.name === jobName));
    expect(first?.spec?.envs).toEqual(
      expect.arrayContaining([
        { name: 'JUDGE_CHAT_URL', value: url },
        { name: 'ASKS', value: `at ${url}` },
        { name: 'JUDGE_API_KEY', value_from: { secret_name_ref: secretOf(plan) } },
      ]),
    );
    expect(JSON.stringify(last ?? {})).not.toContain('JUDGE');
    const { status, snapshot } = await scenario.closed(plan);
    expect([status, outcomes(snapshot)]).toEqual(['succeeded', plan.tasks.map(() => ['succeeded', null])]);
    const shared = snapshot.shared?.[0];
    expect(shared).toMatchObject({ phase: 'done', outcome: 'succeeded', left: [], endpointUrl: expect.any(String) });
    expect(shared?.usage?.endpoint?.until).toEqual(expect.any(String));
    // A second of it costs 1.
    expect(costDocument(snapshot, 0)?.spent).toBeGreaterThan(8);
    expect(await creations(scenario.platform, '/deployments')).toBe(4);
    await expectNothingLeft(scenario);
  });
});

test.concurrent('one that never gets Ready fails its tasks, which say so; the others go on', async () => {
  const scenario = await bench.scenario({
    endpoints: {
      default: { states: [['Starting', '200ms'], ['Ready']] },
      match: [{ name: '*-judge-*', states: [['Starting', '500ms'], ['Failed']], message: 'no such weights' }],
    },
    jobs: brief,
  });
  const plan = judgedPlan(scenario);
  await scenario.start(plan);
  const { status, snapshot } = await scenario.closed(plan);
  expect([status, outcomes(snapshot)]).toEqual([
    'failed',
    [
      ['failed', 'SharedEndpointFailed'],
      ['failed', 'SharedEndpointFailed'],
      ['succeeded', null],
    ],
  ]);
  expect(snapshot.tasks[0]?.error?.message).toMatch(/shared endpoint judge \(vllm-judge-e0-.*no such weights/);
  expect(snapshot.shared?.[0]).toMatchObject({ outcome: 'failed', error: { type: 'EndpointFailed' } });
  await expectNothingLeft(scenario);
});

describe('while jobs use it', () => {
  const jobs = {
    ...brief,
    match: [
      { name: '*-aime-*', ...endless.default },
      { name: '*-math-*', ...endless.default },
    ],
  };
  const lost = [
    ['failed', 'SharedEndpointFailed'],
    ['failed', 'SharedEndpointFailed'],
    ['succeeded', null],
  ];
  const usersRun = (scenario: Scenario, plan: RunPlan) =>
    scenario.until(plan, ({ tasks }) => [0, 1].every((index) => tasks[index]?.phase === 'running job'));

  test.concurrent('somebody removes it: its tasks fail, the others go on', async () => {
    const scenario = await bench.scenario({ jobs });
    const plan = judgedPlan(scenario);
    await startInBatches(scenario, plan);
    await usersRun(scenario, plan);
    await createLeptonClient(scenario.platform).deleteDeployment(judgeOf(plan));
    const { snapshot } = await scenario.closed(plan);
    expect(outcomes(snapshot)).toEqual(lost);
    expect(snapshot.tasks[1]?.error?.message).toMatch(/judge .*died while tasks used it/);
    await expectNothingLeft(scenario);
  });

  test.concurrent.each([
    { how: 'terminated: the run removes it by its name', end: 'terminate' },
    { how: 'cancelled: it removes itself', end: 'cancel' },
  ] as const)('its workflow is $how; that its log is lost is said', async ({ end }) => {
    const scenario = await bench.scenario({ jobs, faults: noLogs });
    const plan = judgedPlan(scenario);
    await scenario.start(plan);
    await usersRun(scenario, plan);
    await workflowOf(scenario, plan, sharedIndex(0))[end]();
    const { snapshot } = await scenario.closed(plan);
    expect(outcomes(snapshot)).toEqual(lost);
    expect(snapshot.left).toEqual([]);
    expect(snapshot.shared?.[0]?.usage?.endpoint?.until).toEqual(expect.any(String));
    expect(snapshot.shared?.[0]?.message).toContain(`The log of endpoint ${judgeOf(plan)} could not be saved`);
    await expectNothingLeft(scenario);
  });
});

test.concurrent('a cancelled run removes it, and says that its log is lost', async () => {
  const scenario = await bench.scenario({ jobs: endless, faults: noLogs });
  const plan = judgedPlan(scenario);
  await scenario.start(plan);
  await running(scenario, plan);
  await scenario.cancel(plan);
  const { status, snapshot } = await scenario.closed(plan);
  expect([status, snapshot.shared?.[0]?.outcome]).toEqual(['cancelled', 'cancelled']);
  expect(snapshot.shared?.[0]?.message).toContain(`The log of endpoint ${judgeOf(plan)} could not be saved`);
  await expectNothingLeft(scenario);
});

test.concurrent('a terminated run: it removes itself; if it is terminated as well, a sweep does', async () => {
  const scenario = await bench.scenario({ jobs: endless });
  const [plan, lost] = [judgedPlan(scenario), judgedPlan(scenario)];
  for (const one of [plan, lost]) {
    await scenario.start(one);
    await running(scenario, one);
  }
  await scenario.client.workflow.getHandle(runWorkflowId(plan.invocation)).terminate();
  await expect(workflowOf(scenario, plan, sharedIndex(0)).result()).rejects.toThrow();
  const platform = createLeptonClient(scenario.platform);
  const request = {
    temporal: scenario.client,
    platform,
    ref: { kind: 'local', workspace: 'local' },
    home: scenario.home,
    origin: 'tests',
    secretsOf: () => Promise.resolve([]),
    graceSeconds: -60,
    dryRun: false,
  } as const;
  // An open run is left alone.
  await sweep(request);
  expect(await platform.getDeployment(judgeOf(lost))).toBeDefined();
  for (const index of [sharedIndex(0), 0, 1, 2])
    await workflowOf(scenario, lost, index)
      .terminate()
      .catch(() => undefined);
  await scenario.client.workflow
    .getHandle(runWorkflowId(lost.invocation))
    .terminate()
    .catch(() => undefined);
  await sweep(request);
  const { deployments, jobs } = await scenario.platform.inventory();
  expect([deployments, jobs]).toEqual([[], []]);
  expect(await platform.listSecretNames()).toEqual([]);
});

describe('endpoints that serve the model for several tasks', () => {
  const pooledPlan = ({ outputRoot }: Scenario, change: Partial<RunPlan>): RunPlan =>
    withPool(runPlan({ outputRoot, change }));

  test.concurrent.each([
    { how: 'all_ready', start: startPlainly },
    { how: 'as_ready', start: startInBatches },
  ] as const)('are created once, and each job gets the URL of its own: $how', async ({ how, start }) => {
    const scenario = await bench.scenario({ jobs: { default: { states: [['Running', '8s'], ['Completed']] } } });
    const plan = pooledPlan(scenario, { startPolicy: how });
    await start(scenario, plan);
    await running(scenario, plan);
    const client = createLeptonClient(scenario.platform);
    const jobs = await client.listJobs();
    for (const { jobName, uses } of plan.tasks) {
      const endpoint = await client.getDeployment(uses?.[0]?.servesModel ?? '');
      const value = `${endpoint?.status?.endpoint?.external_endpoint}/v1/completions`;
      const job = jobs.find(({ metadata }) => metadata.name === jobName);
      expect(job?.spec?.envs).toContainEqual({ name: 'EVALSAGA_MODEL_URL', value });
    }
    const { status, snapshot } = await scenario.closed(plan);
    expect([status, outcomes(snapshot)]).toEqual(['succeeded', plan.tasks.map(() => ['succeeded', null])]);
    expect(snapshot.tasks.map(({ endpoint }) => endpoint)).toEqual(
      plan.tasks.map(({ uses }) => uses?.[0]?.servesModel),
    );
    expect(await creations(scenario.platform, '/deployments')).toBe(2);
    await expectNothingLeft(scenario);
  });
});
