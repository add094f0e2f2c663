import path from 'node:path';
import { sweep, type SweepRequest } from '../../src/cleanup/sweep';
import { runWorkflowId, taskWorkflowId } from '../../src/contract/identity';
import type { RunPlan } from '../../src/contract/plan';
import { createLeptonClient } from '../../src/lepton/client';
import { startBench, type Bench, type Scenario } from '../support/bench';
import { canariesIn, everythingOf, filesBelow, printedEnv, secrets } from '../support/canaries';
import { setFaults } from '../support/command';
import { secretPlan, startSecretRun } from '../support/secret-run';
import type { SimulatedPlan } from '../support/simulated';

/** Sweeps of terminated runs mask the secrets that the platform's answers quote. */

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.close());

const canaries = [secrets.HF_TOKEN, secrets.NGC_API_KEY, secrets.ENDPOINT_KEY];

/** A run whose workflows were terminated while its jobs ran. */
async function orphaned(scenario: Scenario): Promise<RunPlan> {
  const plan = secretPlan(scenario);
  await startSecretRun(scenario, plan);
  await scenario.until(plan, ({ tasks }) => tasks.every(({ phase }) => phase === 'running job'));
  for (const id of [
    runWorkflowId(plan.invocation),
    ...plan.tasks.map(({ index }) => taskWorkflowId(plan.invocation, index)),
  ])
    await bench.client.workflow.getHandle(id).terminate();
  return plan;
}

const quoting = { code: 'Refused', message: `not with ${canaries.join(' and ')}` };
const refuse = (on: string): object => ({ on, times: 'inf', respond: 403, body: quoting });
const endless: SimulatedPlan = {
  endpoints: { default: { states: [['Starting', '100ms'], ['Ready']], log: printedEnv } },
  jobs: { default: { states: [['Running', '1h'], ['Completed']], log: printedEnv } },
};

test.concurrent("a failing scheduled sweep masks a run's secrets in its error", async () => {
  const scenario = await bench.scenario(endless);
  const plan = await orphaned(scenario);
  await setFaults(scenario.platform, [refuse('GET /deployments')]);
  const workflowId = `sweep-${plan.invocation}`;
  const swept = { platform: plan.platform, graceSeconds: -60 };
  const { client, taskQueue } = scenario;
  const sweeping = client.workflow.execute('sweepPlatform', { taskQueue, workflowId, args: [swept] });
  await expect(sweeping).rejects.toThrow();
  const history = await everythingOf(client, workflowId);
  expect(history).toContain('not with ***');
  expect(canariesIn(history, canaries)).toEqual([]);
});

test.concurrent('a sweep masks secrets in the logs and errors of a run that its home does not know', async () => {
  const scenario = await bench.scenario(endless);
  const plan = await orphaned(scenario);
  const other = path.join(scenario.outputRoot, 'other');
  const request: SweepRequest = {
    temporal: scenario.client,
    platform: createLeptonClient(scenario.platform),
    ref: plan.platform,
    home: { runs: path.join(other, 'runs'), swept: path.join(other, 'swept') },
    origin: 'tests',
    secretsOf: () => Promise.resolve([]),
    graceSeconds: -60,
    dryRun: false,
  };
  await setFaults(scenario.platform, ['DELETE /jobs/*', 'DELETE /deployments/*'].map(refuse));
  const refused = await sweep(request);
  expect(refused.failed.map(({ reason }) => reason)).toEqual(
    Array.from({ length: 4 }, () => expect.stringContaining('not with *** and *** and ***')),
  );
  await setFaults(scenario.platform, []);
  const report = await sweep(request);
  expect(report.removed).toHaveLength(4);
  expect(canariesIn(JSON.stringify([refused, report]), canaries)).toEqual([]);
  const files = await filesBelow(other);
  const logs = files.filter(({ file }) => file.startsWith(`swept/${plan.invocation}/logs/`) && file.endsWith('.log'));
  expect(logs).toHaveLength(4);
  for (const { file, text } of files) expect({ file, found: canariesIn(text, canaries) }).toEqual({ file, found: [] });
});
