import { readdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLeptonClient } from '../../src/lepton/client';
import { cleanUp } from '../../src/cleanup/cleanup';
import { creations, emptyInventory, startBench, type Bench, type Scenario } from '../support/bench';
import { runPlan } from '../support/plans';

/** The token expires, is revoked or is replaced during a run. */

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.close());

/** Replaces the platform's faults: with `refused` it rejects the token, with none it accepts it again. */
async function setFaults({ platform: { url, token } }: Scenario, faults: readonly object[]): Promise<void> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const answer = await fetch(new URL('/__sim/plan', url), {
    method: 'POST',
    headers,
    body: JSON.stringify({ faults }),
  });
  if (!answer.ok) throw new Error(await answer.text());
}
const body = { code: 'Unauthorized', message: 'token expired' };
const refused = [{ on: '* /**', times: 'inf', respond: 401, body }];

test.concurrent('a temporary 401 or 403 (token rotation, service restart) ends no job', async () => {
  const scenario = await bench.scenario({ jobs: { default: { states: [['Running', '8s'], ['Completed']] } } });
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['hellaswag'] });
  await scenario.start(plan);
  await scenario.until(plan, ({ tasks: [task] }) => task?.phase === 'running job');
  await setFaults(scenario, [
    { on: 'GET /jobs', times: 2, respond: 401, body },
    { on: 'GET /deployments', times: 2, respond: 403 },
    { on: 'GET /storage/**', times: 2, respond: 401, body },
  ]);
  const { status } = await scenario.closed(plan);
  expect(status).toBe('succeeded');
  const refusals = (await scenario.platform.requests()).filter(({ status: code }) => code === 401 || code === 403);
  expect(refusals.length).toBeGreaterThanOrEqual(4);
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
});

test.concurrent('refusals that end within the patience (30 s) have no effect in any phase', async () => {
  const scenario = await bench.scenario(
    {
      endpoints: { default: { states: [['Starting', '8s'], ['Ready']] } },
      jobs: { default: { states: [['Running', '8s'], ['Completed']] } },
    },
    { refusalPatienceMs: 30_000 },
  );
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['hellaswag'], limits: { teardownSeconds: 60 } });
  const outage = async (): Promise<void> => {
    await setFaults(scenario, refused);
    await sleep(9_000);
    await setFaults(scenario, []);
  };
  await setFaults(scenario, refused);
  await scenario.start(plan);
  // Until the end of this one, the run's preflight is refused.
  while (!(await scenario.platform.requests()).some(({ status: code }) => code === 401)) await sleep(100);
  await outage();
  await scenario.until(plan, ({ tasks: [task] }) => task?.phase === 'awaiting ready');
  await outage();
  await scenario.until(plan, ({ tasks: [task] }) => task?.phase === 'running job');
  await outage();
  const { status, snapshot } = await scenario.closed(plan);
  expect({ status, error: snapshot.tasks[0]?.error, left: snapshot.left }).toEqual({
    status: 'succeeded',
    error: null,
    left: [],
  });
  expect(await readdir(`${snapshot.tasks[0]?.outputDir ?? ''}/logs`)).toEqual(
    expect.arrayContaining(['endpoint.log', 'job.log']),
  );
  expect(await creations(scenario.platform, '/deployments')).toBe(1);
});

test.concurrent('an endpoint that was never created is not reported as left', async () => {
  const scenario = await bench.scenario({ faults: refused });
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['hellaswag'] });
  await scenario.start(plan);
  const { snapshot, failure } = await scenario.closed(plan);
  expect({ left: snapshot.left, failure: failure?.type }).toEqual({ left: [], failure: 'CredentialsRefused' });
});

test.concurrent(
  'a lasting refusal ends the task after few requests with advice on the token; what is left is named and can be removed later',
  async () => {
    const scenario = await bench.scenario({ jobs: { default: { states: [['Running', '1h'], ['Completed']] } } });
    const plan = runPlan({
      outputRoot: scenario.outputRoot,
      tasks: ['hellaswag'],
      limits: { jobSeconds: 3_600, teardownSeconds: 1_800 },
    });
    await scenario.start(plan);
    await scenario.until(plan, ({ tasks: [task] }) => task?.phase === 'running job');
    await setFaults(scenario, refused);
    const { snapshot } = await scenario.closed(plan);
    expect(snapshot.tasks[0]?.error).toEqual({
      type: 'CredentialsRefused',
      message: expect.stringMatching(/401.*token expired.*does not accept the token for workspace local.*log in again/),
    });
    const names = [snapshot.tasks[0]?.endpoint, snapshot.tasks[0]?.job];
    expect(snapshot.left.map(({ name }) => name)).toEqual(expect.arrayContaining(names));
    for (const { reason } of snapshot.left) expect(reason).toMatch(/401/);
    const requests = await scenario.platform.requests();
    expect(requests.filter(({ status }) => status === 401).length).toBeLessThan(60);
    expect(JSON.stringify(snapshot)).not.toContain(scenario.platform.token);

    await setFaults(scenario, []);
    const { url, workspace, token } = scenario.platform;
    const report = await cleanUp({
      platform: createLeptonClient({ url, workspace, token }),
      invocation: plan.invocation,
      plan,
      origin: 'tests',
      outputDir: plan.outputDir,
      secrets: [],
      discard: false,
      report: () => undefined,
    });
    expect(report).toMatchObject({ left: [], kept: [] });
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
    expect(await creations(scenario.platform, '/deployments')).toBe(1);
  },
);
