import { readFile } from 'node:fs/promises';
import { stallsOf } from '../../src/client';
import type { RunPlan } from '../../src/contract/plan';
import { saveAccess } from '../../src/lepton/access-store';
import { emptyInventory, plainBundle, startBench, type Bench, type Scenario } from '../support/bench';
import { until } from '../support/command';
import { runPlan } from '../support/plans';
import { startProgram, type Finished } from '../support/program';

/** A worker of another build serves a run that it can't continue. */

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.close());

const tasks = ['hellaswag', 'arc_challenge'];
const longJobs = { jobs: { default: { states: [['Running', '1h'], ['Completed']] } } };

/** Workflow code that was changed against the rules of docs/changing-workflows.md. */
async function otherCode(change: readonly [string, string]): Promise<{ code: string }> {
  const code = await readFile(plainBundle, 'utf8');
  if (!code.includes(change[0])) throw new Error(`the bundle does not have ${change[0]}`);
  return { code: code.replaceAll(...change) };
}
const otherTasks = ['.createEndpoint({', '.createEndpointOtherwise({'] as const;
const otherRuns = ['identity_1.taskWorkflowId)(', 'identity_1.runWorkflowId)('] as const;

async function running(scenario: Scenario): Promise<RunPlan> {
  const { url, workspace, token } = scenario.platform;
  await saveAccess(scenario.home, { url, workspace, token });
  const platform: RunPlan['platform'] = { kind: 'lepton', workspace, url };
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks, change: { platform } });
  await scenario.start(plan);
  await scenario.until(plan, ({ tasks: all }) => all.every(({ phase }) => phase === 'running job'));
  return plan;
}

/** Runs the built program against the bench's server. */
const command = ({ home }: Scenario, args: readonly string[]): Promise<Finished> =>
  startProgram(args, {
    cwd: home.root,
    env: { PATH: process.env['PATH'] ?? '', EVALSAGA_HOME: home.root, TEMPORAL_ADDRESS: bench.env.address },
  }).finished;

test.concurrent(
  'status reports that tasks are stuck, why, and what to do; the run continues with the right build',
  async () => {
    const scenario = await bench.scenario(longJobs);
    const plan = await running(scenario);
    expect(await stallsOf(bench.client, plan.invocation, [0, 1])).toEqual([]);
    await scenario.startWorker({ workflows: await otherCode(otherTasks) });
    // A cancel makes the tasks run the other code.
    await scenario.cancel(plan);
    const seen = () => stallsOf(bench.client, plan.invocation, [0, 1]);
    await until('both tasks fail', async () => (await seen()).length === 2);
    expect(await seen()).toMatchObject(
      [0, 1].map((who) => ({ who, isNondeterminism: true, cause: expect.stringContaining('createEndpoint') })),
    );
    const { code, stdout, stderr } = await command(scenario, ['status', plan.invocation]);
    expect([code, stdout]).toEqual([0, expect.stringContaining('cancel requested')]);
    expect(stderr).toMatch(/tasks 0, 1 can't go on: .* \d+ times since .*[Nn]ondeterminism/);
    expect(stderr).toMatch(/[Aa]nother build.*up\.[^]*cleanup [0-9a-f]{16} --terminate/);
    await scenario.startWorker();
    expect((await scenario.closed(plan)).status).toBe('cancelled');
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  },
);

test.concurrent(
  'a stuck run: its tasks are shown with their own state, and cleanup --terminate leaves nothing',
  async () => {
    const scenario = await bench.scenario(longJobs);
    const plan = await running(scenario);
    await scenario.startWorker({ workflows: await otherCode(otherRuns) });
    await scenario.cancel(plan);
    await until('the run fails', async () => (await stallsOf(bench.client, plan.invocation, [])).length === 1);
    const { code, stdout, stderr } = await command(scenario, ['status', plan.invocation]);
    expect(code).toBe(0);
    expect(stdout).toContain('running job');
    expect(stderr).toContain("the run itself can't go on");
    const refused = await command(scenario, ['cleanup', plan.invocation]);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('--terminate')]);
    const ended = await command(scenario, ['cleanup', plan.invocation, '--terminate']);
    expect(ended).toMatchObject({ code: 0, stdout: expect.stringContaining('removed') });
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  },
);
