import { WorkflowNotFoundError } from '@temporalio/client';
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { startRun } from '../../src/client';
import { taskWorkflowId } from '../../src/contract/identity';
import type { RunPlan } from '../../src/contract/plan';
import { homePaths } from '../../src/home/paths';
import { readJsonFile, writePrivateJson } from '../../src/support/atomic-file';
import { benchWorker, emptyInventory, startBench, type Bench, type Scenario } from '../support/bench';
import { until } from '../support/command';
import { runPlan } from '../support/plans';
import type { SimulatedPlan } from '../support/simulated';

/** The machine that started a run, and to which its results and logs go, is asleep when they are to be saved. */

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(async () => {
  await Promise.all(stops.map((stop) => stop()));
  await bench.close();
});
const stops: (() => Promise<unknown>)[] = [];

/** Limits that a busy machine does not exceed. */
const slow = { endpointReadySeconds: 250, jobSeconds: 250 };

interface Away extends Scenario {
  readonly plan: RunPlan;
  /** Lets the machine that started the run wake up. */
  wake(): Promise<void>;
}

/** A run that only another machine serves. */
async function startAway(simulated: SimulatedPlan, limits: Partial<RunPlan['limits']>): Promise<Away> {
  const scenario = await bench.scenario(simulated);
  await (
    await scenario.startWorker()
  )();
  const { taskQueue, home } = scenario;
  const homeQueue = `${taskQueue}-home`;
  const other = homePaths({ EVALSAGA_HOME: path.join(path.dirname(home.root), 'other') });
  await mkdir(other.root, { recursive: true });
  await writePrivateJson(other.platformAccess, await readJsonFile(home.platformAccess));
  stops.push(await benchWorker(bench.env, { taskQueue, home: other }));
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['gsm8k'], limits });
  await startRun(scenario.client, {
    ...{ plan, taskQueue, homeQueue, home, configYaml: 'a: 1\n', searchAttributes: true, hostSecrets: {} },
  });
  const wake = async (): Promise<void> => {
    stops.push(await benchWorker(bench.env, { taskQueue: homeQueue, home }));
  };
  return { ...scenario, plan, wake };
}

/** Of a task that its run has not started yet, nothing is known. */
const orNotYet = <T>(asked: Promise<T>): Promise<T | undefined> =>
  asked.catch((error: unknown) => {
    // Of a history, the server's own error comes.
    const isUnknown = error instanceof WorkflowNotFoundError || (error as { code?: number }).code === 5;
    if (isUnknown) return undefined;
    throw error;
  });

const taskOf = ({ invocation }: RunPlan) => bench.client.workflow.getHandle(taskWorkflowId(invocation, 0));

/** How often the task has asked for a job's log to be saved. */
async function savings(plan: RunPlan): Promise<number> {
  const history = await orNotYet(taskOf(plan).fetchHistory());
  const names = (history?.events ?? []).map((event) => event.activityTaskScheduledEventAttributes?.activityType?.name);
  return names.filter((name) => name === 'saveJobLog').length;
}

/** What the task waits for at this moment. */
async function pending(plan: RunPlan): Promise<(string | null | undefined)[]> {
  const described = await orNotYet(taskOf(plan).describe());
  return (described?.raw.pendingActivities ?? []).map(({ activityType }) => activityType?.name);
}

const logAt = ({ outputDir, tasks: [task] }: RunPlan, file: string): Promise<string> =>
  readFile(path.join(outputDir, task?.folder ?? '', 'logs', file), 'utf8');

test.concurrent('the log of a failed job waits for it beyond the time of one step, as its results do', async () => {
  const failing = { states: [['Running', '300ms'], ['Failed']], log: 'CUDA out of memory' };
  const away = await startAway({ jobs: { default: failing } }, { teardownSeconds: 15, ...slow });
  const { plan } = away;
  await until('its time was over once', () => savings(plan).then((times) => times > 1), 200_000);
  await away.wake();
  const { status, snapshot } = await away.closed(plan);
  expect(status).toBe('failed');
  const [task] = snapshot.tasks;
  expect(await logAt(plan, 'job.log')).toContain('CUDA out of memory');
  expect(task?.message ?? '').not.toContain('could not be saved');
  expect(await away.platform.inventory()).toEqual(emptyInventory);
});

test.concurrent('a cancel while the log of an ended job is saved: it comes home, and the endpoint goes', async () => {
  const jobs = {
    default: { states: [['Running', '1s'], ['Completed']], ended: { by: 'preemption', after: '300ms', times: 1 } },
  };
  const away = await startAway({ jobs }, { jobRetries: 2, teardownSeconds: 600, ...slow });
  const { plan } = away;
  await until('the log is to be saved', () => pending(plan).then((names) => names.includes('saveJobLog')), 200_000);
  await away.cancel(plan);
  // The teardown of the endpoint begins beside it.
  const both = ['saveEndpointLog', 'saveJobLog'];
  await until(
    'the task tears down',
    () => pending(plan).then((names) => both.every((name) => names.includes(name))),
    200_000,
  );
  await away.wake();
  const { status, snapshot } = await away.closed(plan);
  expect(status).toBe('cancelled');
  const [task] = snapshot.tasks;
  expect(await logAt(plan, 'job-attempt-1.log')).not.toBe('');
  expect(task?.message).toContain('Its log: logs/job-attempt-1.log');
  expect(task?.message).not.toContain('could not be saved');
  const posts = (await away.platform.requests()).filter(({ method, path: at }) => method === 'POST' && at === '/jobs');
  expect(posts).toHaveLength(1);
  expect(await away.platform.inventory()).toEqual(emptyInventory);
});
