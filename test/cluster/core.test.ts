import { setTimeout as sleep } from 'node:timers/promises';
import type { RunPlan } from '../../src/contract/plan';
import type { RunDescription } from '../../src/client';
import { isOutage } from '../../src/temporal/grpc';
import { creations, emptyInventory, startBench, type Bench, type Scenario } from '../support/bench';
import { runPlan } from '../support/plans';
import { temporalVariable } from '../support/temporal';
import { builtCluster, howToBuild } from './binaries';
import { startCluster, type Cluster } from './cluster';

/** The core of `npm run test:cluster`, which every test run has where a cluster was built before. */

const built = builtCluster();

if (built) {
  describe('on Temporal Server and PostgreSQL', () => {
    let cluster: Cluster;
    let bench: Bench;
    beforeAll(async () => {
      cluster = await startCluster(built);
      process.env[temporalVariable] = cluster.address;
      bench = await startBench();
    });
    afterAll(async () => {
      await bench.close();
      await cluster.close();
      delete process.env[temporalVariable];
    });

    const slow = {
      endpoints: { default: { states: [['Starting', '10s'], ['Ready']] } },
      jobs: { default: { states: [['Running', '10s'], ['Completed']] } },
    };

    test('a run succeeds, leaves nothing, and is found by its model', async () => {
      const scenario = await bench.scenario();
      const plan = runPlan({ outputRoot: scenario.outputRoot, change: { model: `m-${scenario.taskQueue}` } });
      await scenario.start(plan);
      expect((await scenario.closed(plan)).status).toBe('succeeded');
      expect(await scenario.platform.inventory()).toEqual(emptyInventory);
      const query = `EvalModel = 'm-${scenario.taskQueue}' AND WorkflowType = 'evaluationRun'`;
      let found = 0;
      for (let attempt = 0; attempt < 100 && found === 0; attempt += 1) {
        found = (await bench.client.workflow.count(query)).count;
        if (found === 0) await sleep(100);
      }
      expect(found).toBe(1);
    });

    test.each([
      ['the server', 'awaiting ready', () => cluster.killServer(), () => cluster.startServer()],
      ['the database', 'running job', () => cluster.database.kill(), () => cluster.database.start()],
    ] as const)(
      '%s is killed while a run is %s: it goes on, and nothing is created twice',
      async (_, phase, kill, start) => {
        const scenario = await bench.scenario(slow);
        const plan = runPlan({ outputRoot: scenario.outputRoot });
        await scenario.start(plan);
        await scenario.until(plan, ({ tasks }) => tasks.every((task) => task.phase === phase));
        await kill();
        // Longer than what was being waited for.
        await sleep(12_000);
        await start();
        const { status, snapshot } = await closedDespiteOutages(scenario, plan);
        expect({ status, left: snapshot.left }).toEqual({ status: 'succeeded', left: [] });
        expect(await scenario.platform.inventory()).toEqual(emptyInventory);
        expect(await creations(scenario.platform, '/deployments')).toBe(3);
        expect(await creations(scenario.platform, '/jobs')).toBe(3);
      },
    );
  });

  /** Gives up after three minutes. */
  async function closedDespiteOutages(scenario: Scenario, plan: RunPlan): Promise<RunDescription> {
    for (let attempt = 0; attempt < 360; attempt += 1) {
      const seen = await scenario.describe(plan).catch((error: unknown) => {
        if (!isOutage(error)) throw error;
        return undefined;
      });
      if (seen && seen.status !== 'running') return seen;
      await sleep(500);
    }
    throw new Error(`run ${plan.invocation} did not close`);
  }
} else {
  test(`no cluster is built on this machine, so nothing was tried on one: ${howToBuild}`, () => {
    expect(builtCluster()).toBeUndefined();
  });
}
