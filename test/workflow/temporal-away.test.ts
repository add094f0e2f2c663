import type { Client } from '@temporalio/client';
import { access } from 'node:fs/promises';
import path from 'node:path';
import { cancelRun, describeRun, listRuns, resolveInvocation, startRun } from '../../src/client';
import { runWorkflowId, taskWorkflowId } from '../../src/contract/identity';
import type { RunPlan } from '../../src/contract/plan';
import { hasLivePoller } from '../../src/stack/pollers';
import { chooseQueues } from '../../src/stack/queues';
import { ownerAmong } from '../../src/cleanup/owners';
import { cancelTask } from '../../src/runs/cancel-task';
import { connectClient } from '../../src/temporal/connect';
import { grpcCodes, isOutage } from '../../src/temporal/grpc';
import { originOf } from '../../src/temporal/origin';
import { planInHistory } from '../../src/runs/run-input';
import { ensureSearchAttributes } from '../../src/temporal/search-attributes';
import { ensureSweepSchedule } from '../../src/cleanup/sweep-schedule';
import { startBench, type Bench, type Scenario } from '../support/bench';
import { runPlan } from '../support/plans';
import { openTcpProxy, type TcpProxy } from '../support/tcp-proxy';
import { Ledger } from '../chaos/ledger';
import { openTemporalGateway } from '../chaos/temporal-gateway';

/** Client calls when Temporal does not answer, or when its answer is lost. */

let bench: Bench;
let scenario: Scenario;
let wire: TcpProxy;
let client: Client;
beforeAll(async () => {
  bench = await startBench();
  scenario = await bench.scenario({
    endpoints: { match: [{ name: '*lingering*', states: [['Ready']], deleting: '15s' }] },
    jobs: { default: { states: [['Running', '1h'], ['Completed']] } },
  });
});
afterAll(() => bench.close());

beforeEach(async () => {
  wire = await openTcpProxy(Number(bench.env.address.split(':')[1]));
  client = await connectClient({
    connection: { address: `127.0.0.1:${wire.port}` },
    namespace: 'default',
    dataConverter: {},
    // Each attempt gets half of this, also where a call is to succeed.
    callTimeoutMs: 8_000,
  });
});
afterEach(async () => {
  await client.connection.close();
  await wire.close();
});

const start = (plan: RunPlan) =>
  startRun(client, {
    plan,
    taskQueue: scenario.taskQueue,
    hostSecrets: { TOKEN: 'x' },
    configYaml: '',
    home: scenario.home,
    searchAttributes: true,
  });

const calls: readonly (readonly [string, (plan: RunPlan) => Promise<unknown>])[] = [
  ['describe', ({ invocation }) => describeRun(client, invocation, scenario.home)],
  ['cancel', ({ invocation }) => cancelRun(client, invocation)],
  ['cancel of a task', ({ invocation }) => cancelTask(client, { invocation, index: 0 })],
  ['list', () => listRuns(client, { limit: 10 })],
  ['search by prefix', () => resolveInvocation(client, 'abcdef', scenario.home)],
  ['history', ({ invocation }) => planInHistory(client, invocation)],
  ['query', ({ invocation }) => client.workflow.getHandle(runWorkflowId(invocation)).query('status')],
  ['signal', ({ invocation }) => client.workflow.getHandle(taskWorkflowId(invocation, 0)).signal('startJob')],
  ['owner', ({ invocation }) => ownerAmong(client, invocation, [0])],
  ['pollers', () => hasLivePoller(client, scenario.taskQueue)],
  [
    'origin',
    () => originOf({ connection: client.connection, namespace: 'default', home: scenario.home, embedded: false }),
  ],
  [
    'schedule',
    () => ensureSweepSchedule(client, { platform: { kind: 'local', workspace: 'w' }, taskQueue: scenario.taskQueue }),
  ],
];

test('a server that stops answering: every call ends at its deadline, and its error counts as an outage', async () => {
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['hellaswag'] });
  await start(plan);
  wire.mute();
  const ends = await Promise.all(
    calls.map(async ([name, call]) => {
      const error: unknown = await call(plan).then(
        () => 'an answer',
        (reason: unknown) => reason,
      );
      return [name, isOutage(error) ? 'outage' : error];
    }),
  );
  expect(ends).toEqual(calls.map(([name]) => [name, 'outage']));
  expect(await ensureSearchAttributes(client)).toMatchObject({ usable: false });
  wire.renew();
  expect(await cancelRun(client, plan.invocation)).toBe('requested');
  await scenario.closed(plan);
});

test('when only the answer is lost, each call is retried once, and succeeds', async () => {
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['lingering'] });
  await start(plan);
  // One call cancels the task. Its teardown takes longer than a retry, so the task is still there for all calls.
  await scenario.until(plan, ({ tasks: [task] }) => task?.phase === 'running job');
  const near = client;
  const ledger = new Ledger();
  const gateway = await openTemporalGateway({
    target: bench.env.address,
    side: 'client',
    watched: { ledger, names: plan },
  });
  client = await connectClient({
    connection: { address: gateway.address },
    namespace: 'default',
    dataConverter: {},
    // Each attempt gets half of this; less could be too short for the second attempt on a busy machine.
    callTimeoutMs: 8_000,
  });
  const lost: string[] = [];
  ledger.restart();
  // Not the history: commands wait on it, with the deadline of the whole wait.
  ledger.interfere(({ method, nth }, forward) => {
    if (nth > 1 || method === 'GetWorkflowExecutionHistory') return undefined;
    lost.push(method);
    return forward().then(() => 'silence' as const);
  });
  try {
    const ends = await Promise.allSettled(calls.map(([, call]) => call(plan)));
    const failures = ends.flatMap((end, nth) =>
      end.status === 'rejected' ? [[calls[nth]?.[0], String(end.reason)]] : [],
    );
    // No run id has the prefix that is searched for.
    expect(failures).toEqual([
      ['search by prefix', expect.stringContaining('no run has an id or a name that starts with abcdef')],
    ]);
    expect(new Set(lost).size).toBeGreaterThanOrEqual(8);
  } finally {
    await client.connection.close();
    await gateway.close();
    client = near;
  }
  await scenario.closed(plan);
});

test('closing the connection while a call is retried ends the call with an error, and not the process', async () => {
  const leaving = await connectClient({
    connection: { address: `127.0.0.1:${wire.port}` },
    namespace: 'default',
    dataConverter: {},
    callTimeoutMs: 20_000,
  });
  await wire.close();
  const asked = leaving.workflow.getHandle('eval-0123456789abcdef').describe();
  const ended = expect(asked).rejects.toThrow();
  await new Promise((resolve) => setTimeout(resolve, 150));
  await leaving.connection.close();
  await ended;
});

describe('a start whose answer was lost', () => {
  test('is retried and recognised as its own, and there is one run', async () => {
    const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['hellaswag'] });
    wire.mute();
    const starting = start(plan);
    const handle = bench.client.workflow.getHandle(runWorkflowId(plan.invocation));
    for (;;) if (await handle.describe().catch(() => undefined)) break;
    wire.renew();
    const { runId } = await starting;
    expect(runId).toBe((await handle.describe()).runId);
    await scenario.cancel(plan);
    expect((await scenario.closed(plan)).status).toBe('cancelled');
  });

  test('is refused if another plan has taken its id meanwhile', async () => {
    const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['hellaswag'] });
    await scenario.start(plan);
    wire.mute();
    const starting = start({ ...plan, model: 'another' });
    const refused = expect(starting).rejects.toMatchObject({ name: 'RunExists' });
    // Longer than a call, whose answer is lost.
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    wire.renew();
    await refused;
    await scenario.cancel(plan);
    await scenario.closed(plan);
  });

  test('and stays lost: the error says how to find out whether the run started', async () => {
    const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['hellaswag'] });
    wire.mute();
    await expect(start(plan)).rejects.toMatchObject({
      name: 'InfrastructureError',
      message: expect.stringMatching(new RegExp(`status ${plan.invocation}[^]*cancel ${plan.invocation}`)),
    });
    // The run may have started, so its secrets must be kept.
    await access(path.join(scenario.home.secrets, `${plan.invocation}.json`));
    await scenario.cancel(plan);
    await scenario.closed(plan);
  });
});

test('a start that Temporal refuses leaves no record and no secrets on this host', async () => {
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['hellaswag'] });
  const far: Client = await connectClient({
    connection: { address: `127.0.0.1:${wire.port}` },
    namespace: 'default',
    dataConverter: {},
  });
  const refusing = startRun(far, {
    plan,
    taskQueue: 'x'.repeat(2_000),
    hostSecrets: { TOKEN: 'x' },
    configYaml: '',
    home: scenario.home,
    searchAttributes: true,
  });
  await expect(refusing).rejects.toThrow();
  for (const left of [scenario.home.secrets, scenario.home.runs])
    await expect(access(path.join(left, `${plan.invocation}.json`))).rejects.toThrow('ENOENT');
  await expect(access(path.join(scenario.home.runs, plan.invocation))).rejects.toThrow('ENOENT');
  await far.connection.close();
});

test('questions before a start outlast a Temporal that limits the rate of calls', async () => {
  const ledger = new Ledger();
  const gateway = await openTemporalGateway({
    target: bench.env.address,
    side: 'client',
    watched: { ledger, names: { invocation: undefined } },
  });
  const connection = { address: gateway.address };
  const limited = await connectClient({ connection, namespace: 'default', dataConverter: {} });
  ledger.restart();
  ledger.interfere(({ nth }) =>
    nth > 3 ? undefined : Promise.resolve({ kind: 'refuse', status: grpcCodes.resourceExhausted } as const),
  );
  try {
    const taskQueue = 'nobody-serves-it';
    const target = { kind: 'cluster', namespace: 'default', address: gateway.address, connection, taskQueue } as const;
    const { home } = scenario;
    const [queues, origin] = await Promise.all([
      chooseQueues({ home, target, localPlatform: false, client: limited }),
      originOf({ connection: limited.connection, namespace: 'default', home, embedded: false }),
    ]);
    expect(queues.run).toBe(queues.own);
    expect(origin).toMatch(/^namespace:/);
  } finally {
    await limited.connection.close();
    await gateway.close();
  }
});
