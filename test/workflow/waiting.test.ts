import { temporal } from '@temporalio/proto';
import { readFile } from 'node:fs/promises';
import { runWorkflowId, taskWorkflowId } from '../../src/contract/identity';
import type { RunPlan } from '../../src/contract/plan';
import { sharedForMs } from '../../src/lepton/coalesced';
import { creations, emptyInventory, plainBundle, startBench, type Bench, type Scenario } from '../support/bench';
import { until } from '../support/command';
import { runPlan } from '../support/plans';
import { startWorkerProcess, type Running } from '../support/program';
import type { RecordedRequest } from '../support/simulated';

/** Waits run inside a worker: what they cost, and that another worker continues them. */

let bench: Bench;
const stops: (() => void)[] = [];
beforeAll(async () => {
  bench = await startBench();
});
afterAll(async () => {
  for (const stop of stops) stop();
  await bench.close();
});

const tasks = ['hellaswag'];
const { EventType } = temporal.api.enums.v1;
const { PENDING_ACTIVITY_STATE_STARTED } = temporal.api.enums.v1.PendingActivityState;

/** Stops the scenario's own worker, and starts one in a separate process. */
async function workerProcess(scenario: Scenario): Promise<Running> {
  await (
    await scenario.startWorker()
  )();
  const worker = startWorkerProcess({ ...scenario, address: bench.env.address });
  stops.push(() => worker.signal('SIGKILL'));
  await worker.untilStderr(/worker for task queue/);
  return worker;
}

const taskOf = ({ invocation }: RunPlan) => bench.client.workflow.getHandle(taskWorkflowId(invocation, 0));

async function pendingWait(plan: RunPlan, activity: string) {
  const { raw } = await taskOf(plan).describe();
  return raw.pendingActivities?.find(({ activityType }) => activityType?.name === activity);
}

/** Resolves when the worker of the wait has polled the platform and sent a heartbeat. */
const untilWaiting = (plan: RunPlan, activity: string): Promise<unknown> =>
  until(`${activity} waits`, async () => {
    const wait = await pendingWait(plan, activity).catch(() => undefined);
    return (wait?.heartbeatDetails?.payloads?.length ?? 0) > 0;
  });

async function eventsOf(workflowId: string) {
  const { events } = await bench.client.workflow.getHandle(workflowId).fetchHistory();
  return events ?? [];
}

/** Attempts and last failure of the only activity of this type, as its start event in the history says. */
async function startOf(plan: RunPlan, activity: string) {
  const events = await eventsOf(taskWorkflowId(plan.invocation, 0));
  const scheduled = events.filter(
    ({ activityTaskScheduledEventAttributes: event }) => event?.activityType?.name === activity,
  );
  expect(scheduled).toHaveLength(1);
  const started = events.find(({ activityTaskStartedEventAttributes: event }) =>
    scheduled[0]?.eventId?.equals(event?.scheduledEventId ?? 0),
  )?.activityTaskStartedEventAttributes;
  return { attempts: started?.attempt ?? 0, failure: started?.lastFailure };
}

/** Ready later than a first heartbeat (7.5 s) on a busy machine, and earlier than another worker continues the wait (30 s). */
const slowEndpoint = { endpoints: { default: { states: [['Starting', '25s', 'pulling'], ['Ready']] } } };

test.concurrent('the worker of a wait is killed: another one continues it', async () => {
  const scenario = await bench.scenario(slowEndpoint);
  const first = await workerProcess(scenario);
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks });
  await scenario.start(plan);
  await untilWaiting(plan, 'awaitEndpointReady');
  first.signal('SIGKILL');
  await scenario.startWorker();
  expect((await scenario.closed(plan)).status).toBe('succeeded');
  const { attempts, failure } = await startOf(plan, 'awaitEndpointReady');
  expect({ attempts, timeout: failure?.timeoutFailureInfo?.timeoutType }).toEqual({
    attempts: 2,
    timeout: temporal.api.enums.v1.TimeoutType.TIMEOUT_TYPE_HEARTBEAT,
  });
  expect(await creations(scenario.platform, '/deployments')).toBe(1);
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
});

test.concurrent('the deadline of a wait does not change when another worker continues it', async () => {
  const scenario = await bench.scenario({ endpoints: { default: { states: [['Starting', '1h'], ['Ready']] } } });
  const first = await workerProcess(scenario);
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks, limits: { endpointReadySeconds: 25 } });
  await scenario.start(plan);
  await untilWaiting(plan, 'awaitEndpointReady');
  first.signal('SIGKILL');
  await scenario.startWorker();
  const { snapshot } = await scenario.closed(plan);
  expect(snapshot.tasks[0]?.error?.type).toBe('EndpointReadinessTimeout');
  const events = await eventsOf(taskWorkflowId(plan.invocation, 0));
  const timers = events.filter(({ timerStartedEventAttributes: timer }) => timer);
  expect(Number(timers[0]?.timerStartedEventAttributes?.startToFireTimeout?.seconds)).toBe(25);
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
});

test.concurrent(
  'the worker of a wait gets SIGTERM: another one continues at once, without a heartbeat timeout',
  async () => {
    const scenario = await bench.scenario({ jobs: { default: { states: [['Running', '1h'], ['Completed']] } } });
    const first = await workerProcess(scenario);
    const plan = runPlan({ outputRoot: scenario.outputRoot, tasks });
    await scenario.start(plan);
    await untilWaiting(plan, 'awaitJobCompleted');
    await scenario.startWorker();
    first.signal('SIGTERM');
    await until('another worker waits', async () => {
      const wait = await pendingWait(plan, 'awaitJobCompleted');
      return wait?.attempt === 2 && wait.state === PENDING_ACTIVITY_STATE_STARTED;
    });
    const failure = (await pendingWait(plan, 'awaitJobCompleted'))?.lastFailure;
    expect({ type: failure?.applicationFailureInfo?.type, message: failure?.message }).toMatchObject({
      type: 'NotReady',
      message: expect.stringContaining('its worker ends'),
    });
    await scenario.cancel(plan);
    expect((await scenario.closed(plan)).status).toBe('cancelled');
    expect(await creations(scenario.platform, '/jobs')).toBe(1);
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  },
);

test.concurrent('a cancel does not wait for the heartbeat of a waiting activity', async () => {
  const scenario = await bench.scenario({ endpoints: { default: { states: [['Starting', '1h'], ['Ready']] } } });
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks });
  await scenario.start(plan);
  await untilWaiting(plan, 'awaitEndpointReady');
  await scenario.cancel(plan);
  const { status } = await scenario.closed(plan);
  expect(status).toBe('cancelled');
  const events = await eventsOf(taskWorkflowId(plan.invocation, 0));
  const asked = events.find(({ eventType }) => eventType === EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED);
  const next = events.find(
    ({ eventId, activityTaskScheduledEventAttributes: begun, activityTaskCanceledEventAttributes: ended }) =>
      (begun ?? ended) && eventId?.greaterThan(asked?.eventId ?? 0),
  );
  // The removal, and not the end of the wait, which its worker tells with a heartbeat.
  expect(next?.eventType).toBe(EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED);
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
});

test.concurrent(
  'a wait scheduled by older workflow code, with a short attempt timeout, is continued by retries',
  async () => {
    const code = await readFile(plainBundle, 'utf8');
    const older = code.replaceAll(/startToCloseTimeout: '30m'/g, "startToCloseTimeout: '4s'");
    expect(older).not.toBe(code);
    const scenario = await bench.scenario(slowEndpoint, { workflows: { code: older } });
    const plan = runPlan({ outputRoot: scenario.outputRoot, tasks });
    await scenario.start(plan);
    expect((await scenario.closed(plan)).status).toBe('succeeded');
    const { attempts, failure } = await startOf(plan, 'awaitEndpointReady');
    expect(attempts).toBeGreaterThan(2);
    expect(failure?.applicationFailureInfo?.type).toBe('NotReady');
  },
);

test.concurrent.each([3, 12])('the request rate of %i waiting tasks does not depend on their number', async (count) => {
  const scenario = await bench.scenario({
    endpoints: { default: { states: [['Starting', '5s'], ['Ready']] } },
    jobs: { default: { states: [['Queueing', '2s'], ['Running', '5s'], ['Completed']] } },
  });
  const plan = runPlan({
    outputRoot: scenario.outputRoot,
    tasks: Array.from({ length: count }, (_, index) => `task-${index}`),
  });
  await scenario.start(plan);
  expect((await scenario.closed(plan)).status).toBe('succeeded');
  const requests = await scenario.platform.requests();
  const asked = (method: string, route: RegExp): RecordedRequest[] =>
    requests.filter((request) => request.method === method && route.test(request.path.split('?')[0] ?? ''));
  const listings = [asked('GET', /^\/deployments$/), asked('GET', /^\/jobs$/)];
  const questions = asked('GET', /\/(readiness|events)$/);
  // Four fresh listings of a kind per half second, and four questions of two requests, however many tasks there are. Counted over
  // the whole run: a busy machine makes up for its pauses.
  const times = requests.map(({ at }) => Date.parse(at));
  const intervals = (Math.max(...times) - Math.min(...times)) / sharedForMs.local + 1;
  for (const { length } of listings) expect(length).toBeLessThanOrEqual(4 * intervals);
  expect(questions.length).toBeLessThanOrEqual(8 * intervals);
  const own = requests.length - listings.flat().length - questions.length;
  expect(own / count).toBeLessThanOrEqual(40);
  const task = await eventsOf(taskWorkflowId(plan.invocation, 0));
  const run = await eventsOf(runWorkflowId(plan.invocation));
  // Each new message of the platform costs a signal to the task, one to the run, and the events that these cause.
  const told = task.filter(
    ({ workflowExecutionSignaledEventAttributes: signal }) => signal?.signalName === 'observed',
  ).length;
  expect(task.length - 9 * told).toBeLessThanOrEqual(85);
  expect(turnsIn(task) - 2 * told).toBeLessThanOrEqual(15);
  expect(run.length / count).toBeLessThanOrEqual(45);
});

type Events = Awaited<ReturnType<typeof eventsOf>>;

/** Workflow tasks: each is a round trip between Temporal and a worker. */
const turnsIn = (events: Events): number =>
  events.filter(({ workflowTaskCompletedEventAttributes: turn }) => turn).length;

test('how far a job is comes from the bar in its log, in a question every few seconds', async () => {
  const scenario = await bench.scenario({
    jobs: { default: { states: [['Running', '15s'], ['Completed']], progress: { total: 400, over: '30s' } } },
  });
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks });
  await scenario.start(plan);
  const { tasks: seen } = await scenario.until(plan, ({ tasks: [task] }) => Boolean(task?.progress));
  expect(seen[0]).toMatchObject({
    phase: 'running job',
    progress: { total: 400, unit: 'requests', expectedEnd: null },
  });
  expect(seen[0]?.progress?.done).toBeGreaterThan(0);
  const { status, snapshot } = await scenario.closed(plan);
  expect(status).toBe('succeeded');
  expect(snapshot.tasks[0]?.progress ?? null).toBeNull();
  const questions = (await scenario.platform.requests()).filter(({ path: route }) =>
    /^\/logs\?.*&q=%25%7C&/.test(route),
  );
  expect(questions.length).toBeLessThanOrEqual(2);
});
