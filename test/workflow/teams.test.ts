import { Client } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time';
import { setTimeout as sleep } from 'node:timers/promises';
import { sweep } from '../../src/cleanup/sweep';
import { cancelRun, describeRun, listRuns, startRun } from '../../src/client';
import { runWorkflowId, taskWorkflowId } from '../../src/contract/identity';
import type { RunPlan } from '../../src/contract/plan';
import { createLeptonClient } from '../../src/lepton/client';
import { benchWorker, emptyInventory, startBench, type Bench, type Scenario } from '../support/bench';
import { runPlan } from '../support/plans';

/** Teams on one workspace: with a namespace each, or with a task queue each in the same one. */

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.close());

interface Team {
  readonly client: Client;
  readonly origin: string;
  readonly taskQueue: string;
  readonly stop: () => Promise<void>;
}

const second = 'team-b';

/** A team whose runs have at most one endpoint. */
async function team({ home }: Scenario, namespace: string, taskQueue: string): Promise<Team> {
  const { nativeConnection, connection } = bench.env;
  const origin = `namespace:${namespace}-id/${namespace}`;
  const environment = { EVALSAGA_MAX_ENDPOINTS: '1' };
  const stop = await benchWorker({ nativeConnection, namespace }, { taskQueue, home, origin, environment });
  return { client: new Client({ connection, namespace }), origin, taskQueue, stop };
}

async function addNamespace(namespace: string): Promise<void> {
  const { workflowService } = bench.env.connection;
  await workflowService.registerNamespace({
    namespace,
    workflowExecutionRetentionPeriod: msToTs('1 day'),
  });
  while (!(await workflowService.getClusterInfo({}).then(() => isThere(namespace)))) await sleep(200);
}

const isThere = (namespace: string): Promise<boolean> =>
  bench.env.connection.workflowService.listOpenWorkflowExecutions({ namespace, maximumPageSize: 1 }).then(
    () => true,
    () => false,
  );

test('nothing of one team is seen, held up or swept by another', async () => {
  const scenario = await bench.scenario({ jobs: { default: { states: [['Running', '1h'], ['Completed']] } } });
  await addNamespace(second);
  const own = bench.env.namespace ?? 'default';
  const teams = await Promise.all([
    team(scenario, own, 'search'),
    team(scenario, own, 'ads'),
    team(scenario, second, 'search'),
  ]);
  const [search, ads, other] = teams;
  const plans = teams.map(() => runPlan({ outputRoot: scenario.outputRoot, tasks: ['hellaswag'] })) as [
    RunPlan,
    RunPlan,
    RunPlan,
  ];
  const begin = async ({ client, taskQueue }: Team, plan: RunPlan): Promise<void> => {
    await startRun(client, {
      ...{ plan, taskQueue, hostSecrets: {}, configYaml: 'a: 1\n', home: scenario.home },
      ...{ searchAttributes: false, isEncrypted: false },
    });
  };
  const seen = async ({ client }: Team, plan: RunPlan) =>
    (await describeRun(client, plan.invocation, scenario.home)).snapshot.tasks[0];
  const endpoints = async (): Promise<readonly string[]> => (await scenario.platform.inventory()).deployments;
  const sweepOf = ({ client, origin }: Team) =>
    sweep({
      ...{ temporal: client, origin, home: scenario.home, graceSeconds: -60, dryRun: false },
      platform: createLeptonClient(scenario.platform),
      ref: { kind: 'local', workspace: 'local' },
      secretsOf: () => Promise.resolve([]),
    });

  // Each has a quota of its own: none waits for another's endpoint.
  await Promise.all(teams.map((one, at) => begin(one, plans[at] as RunPlan)));
  for (const [at, one] of teams.entries())
    while ((await seen(one, plans[at] as RunPlan))?.phase !== 'running job') await sleep(100);

  const listed = async (one: Team): Promise<readonly string[]> => {
    for (;;) {
      const runs = await listRuns(one.client, { limit: 10 });
      if (runs.length >= (one === other ? 1 : 2)) return runs.map(({ invocation }) => invocation);
      await sleep(200);
    }
  };
  expect(await listed(other)).toEqual([plans[2].invocation]);
  expect([...(await listed(search))].sort()).toEqual([plans[0].invocation, plans[1].invocation].sort());
  await expect(describeRun(search.client, plans[2].invocation, scenario.home)).rejects.toThrow('knows no run');
  await expect(cancelRun(other.client, plans[0].invocation)).rejects.toThrow('knows no run');

  for (const one of teams) expect((await sweepOf(one)).removed).toEqual([]);
  expect(await endpoints()).toHaveLength(3);
  for (const id of [runWorkflowId(plans[0].invocation), taskWorkflowId(plans[0].invocation, 0)])
    await search.client.workflow.getHandle(id).terminate('test');
  expect((await sweepOf(other)).removed).toEqual([]);
  // A sweep is of a namespace: whichever of its queues it runs on.
  const removed = (await sweepOf(ads)).removed.map(({ kind, invocation }) => [kind, invocation]);
  expect(removed).toEqual(expect.arrayContaining([['endpoint', plans[0].invocation]]));
  expect(removed.every(([, invocation]) => invocation === plans[0].invocation)).toBe(true);
  expect(await endpoints()).toHaveLength(2);

  await Promise.all([cancelRun(ads.client, plans[1].invocation), cancelRun(other.client, plans[2].invocation)]);
  for (const [one, plan] of [
    [ads, plans[1]],
    [other, plans[2]],
  ] as const)
    await one.client.workflow
      .getHandle(runWorkflowId(plan.invocation))
      .result()
      .catch(() => undefined);
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  await Promise.all(teams.map(({ stop }) => stop()));
});
