import type { temporal } from '@temporalio/proto';
import { execa } from 'execa';
import { readFile } from 'node:fs/promises';
import { runWorkflowId, taskWorkflowId } from '../../src/contract/identity';
import type { RunPlan } from '../../src/contract/plan';
import { homePaths } from '../../src/home/paths';
import { servingOf } from '../../src/stack/pollers';
import { findServerBinary } from '../../src/stack/server-binary';
import {
  benchWorker,
  creations,
  emptyInventory,
  plainBundle,
  startBench,
  type Bench,
  type Scenario,
} from '../support/bench';
import { until } from '../support/command';
import { testCache } from '../support/folders';
import { runPlan } from '../support/plans';
import type { Running } from '../support/program';
import { patientLimits, workerFleet } from './workers';

/** Two builds of the worker, with the commands of docs/changing-workflows.md: part of `npm run test:cluster`. */

let bench: Bench;
let temporalCommand: string;
const fleet = workerFleet(() => bench.env.address);
beforeAll(async () => {
  bench = await startBench();
  temporalCommand = await findServerBinary({ home: homePaths({ EVALSAGA_HOME: testCache }), env: process.env });
});
/** Stop functions of workers in this process. */
const stops: (() => Promise<void>)[] = [];
afterAll(async () => {
  await Promise.all([...stops.map((stop) => stop()), fleet.end()]);
  await bench.close();
});

/** Runs `temporal` as an operator would; resolves to what it prints. */
async function operator(...args: readonly string[]): Promise<string> {
  const { stdout } = await execa(temporalCommand, [...args, '--address', bench.env.address]);
  return stdout;
}

/** Refused until a worker of the build has polled. */
const makeCurrent = (deployment: string, build: string): Promise<void> =>
  until(
    `build ${build} is current`,
    () =>
      operator(
        ...['worker', 'deployment', 'set-current-version', '--yes'],
        ...['--deployment-name', deployment, '--build-id', build],
      ).then(
        () => true,
        () => false,
      ),
    60_000,
  );

async function scenarioWithoutWorker(): Promise<Scenario> {
  const scenario = await bench.scenario({ jobs: { default: { states: [['Running', '12s'], ['Completed']] } } });
  await (
    await scenario.startWorker()
  )();
  return scenario;
}

/** A worker in a process of its own, told its build as Temporal's worker controller does. */
const startBuild = (scenario: Scenario, build: string): Promise<Running> =>
  fleet.on(scenario).start({ TEMPORAL_DEPLOYMENT_NAME: scenario.taskQueue, TEMPORAL_WORKER_BUILD_ID: build });

const untilJobsRun = (scenario: Scenario, plan: RunPlan): Promise<unknown> =>
  scenario.until(plan, ({ tasks }) => tasks.every(({ phase }) => phase === 'running job'));

async function expectSuccess(scenario: Scenario, plans: readonly RunPlan[]): Promise<void> {
  const ends = await Promise.all(plans.map((plan) => scenario.closed(plan)));
  expect(ends.map(({ status, failure, snapshot }) => ({ status, failure, left: snapshot.left }))).toEqual(
    plans.map(() => ({ status: 'succeeded', failure: null, left: [] })),
  );
  const tasks = plans.flatMap((plan) => plan.tasks).length;
  expect(await creations(scenario.platform, '/deployments')).toBe(tasks);
  expect(await creations(scenario.platform, '/jobs')).toBe(tasks);
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
}

test('what the old build began it ends, what begins later is the new one’s, and the old one is drained', async () => {
  const scenario = await scenarioWithoutWorker();
  const { outputRoot, taskQueue: deployment } = scenario;
  const old = await startBuild(scenario, 'old');
  await makeCurrent(deployment, 'old');
  const before = runPlan({ outputRoot, tasks: ['a', 'b'], limits: patientLimits });
  await scenario.start(before);
  await untilJobsRun(scenario, before);
  const recent = await startBuild(scenario, 'new');
  await makeCurrent(deployment, 'new');
  const after = runPlan({ outputRoot, tasks: ['c'], limits: patientLimits });
  await scenario.start(after);
  await expectSuccess(scenario, [before, after]);
  expect(pidsIn(await historiesOf(before))).toEqual([old.pid]);
  expect(pidsIn(await historiesOf(after))).toEqual([recent.pid]);
  await until(
    'the old build is drained',
    async () =>
      /drained/i.test(
        await operator(
          ...['worker', 'deployment', 'describe-version'],
          ...['--deployment-name', deployment, '--build-id', 'old'],
        ),
      ),
    120_000,
  );
  old.signal('SIGTERM');
  expect((await old.finished).code).toBe(0);
}, 300_000);

test('a run whose build has died for good is given to another build, which replays it and goes on', async () => {
  const scenario = await scenarioWithoutWorker();
  const { outputRoot, taskQueue, home } = scenario;
  const old = await startBuild(scenario, 'old');
  await makeCurrent(taskQueue, 'old');
  const plan = runPlan({ outputRoot, tasks: ['a', 'b'], limits: patientLimits });
  await scenario.start(plan);
  await untilJobsRun(scenario, plan);
  old.signal('SIGKILL');
  const build = { EVALSAGA_DEPLOYMENT_NAME: taskQueue, EVALSAGA_BUILD_ID: 'new' };
  stops.push(await benchWorker(bench.env, { taskQueue, home, build, workflows: await changedBuild() }));
  await makeCurrent(taskQueue, 'new');
  const whoServes = ({ invocation }: RunPlan) => servingOf(bench.client, { taskQueue, invocation });
  expect(await whoServes(plan)).toMatchObject({ kind: 'other builds', hasBegun: true });
  await operator(
    ...['workflow', 'update-options', '--yes', '--reason', 'the old build is gone'],
    ...['--query', `WorkflowId STARTS_WITH 'eval-${plan.invocation}' AND ExecutionStatus = 'Running'`],
    ...['--versioning-override-behavior', 'pinned'],
    ...['--versioning-override-deployment-name', taskQueue, '--versioning-override-build-id', 'new'],
  );
  await until('the run is seen to be given to it', async () => (await whoServes(plan)).kind === 'served');
  await expectSuccess(scenario, [plan]);
  // Its own code removed what the old one had created.
  expect(removalHeartbeats(await historiesOf(plan))).toEqual(new Set([changedSeconds]));
}, 300_000);

const changedSeconds = 14;

/** Today's workflow code with a change that needs no patch: what changes the platform has 14 seconds for a heartbeat, not 15. */
async function changedBuild(): Promise<{ code: string }> {
  const code = await readFile(plainBundle, 'utf8');
  const changed = code.replace(/(heartbeatTimeout ?= ?)(["'])15s\2/, `$1$2${changedSeconds}s$2`);
  expect(changed).not.toBe(code);
  return { code: changed };
}

type Histories = readonly temporal.api.history.v1.IHistoryEvent[];

async function historiesOf({ invocation, tasks }: RunPlan): Promise<Histories> {
  const ids = [runWorkflowId(invocation), ...tasks.map(({ index }) => taskWorkflowId(invocation, index))];
  const histories = await Promise.all(ids.map((id) => bench.client.workflow.getHandle(id).fetchHistory()));
  return histories.flatMap(({ events }) => events ?? []);
}

/** The processes that completed activities or workflow tasks. */
function pidsIn(histories: Histories): number[] {
  const identities = histories.flatMap(
    ({ activityTaskCompletedEventAttributes: activity, workflowTaskCompletedEventAttributes: turn }) =>
      activity?.identity ?? turn?.identity ?? [],
  );
  return [...new Set(identities.map((identity) => Number(identity.split(':').at(-1))))];
}

/** The heartbeat timeouts of the removals of jobs and their storage. */
const removalHeartbeats = (histories: Histories): Set<number> =>
  new Set(
    histories.flatMap(({ activityTaskScheduledEventAttributes: scheduled }) =>
      scheduled?.activityType?.name === 'removeJobAndStorage'
        ? [Number(scheduled?.heartbeatTimeout?.seconds ?? 0)]
        : [],
    ),
  );
