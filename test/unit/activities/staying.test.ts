import { MockActivityEnvironment } from '@temporalio/testing';
import type { Info } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import type { ApplicationFailure } from '@temporalio/common';
import { CancelledFailure } from '@temporalio/common';
import { attempt, withSettings, type Attempt } from '../../../src/activities/attempt';
import { notReady } from '../../../src/activities/failures';
import { remembered } from '../../../src/activities/memory';
import { admitWait, mostStaying, pause, pauseBeforeNextLook, WaitEnded, Waker } from '../../../src/activities/staying';
import { concurrency } from '../../../src/worker';
import { LeptonError } from '../../../src/lepton/lepton-error';

/** Waits that stay in their worker. */

let number = 0;

/** Accepts the signals that a wait sends to its task. */
const client = {
  withDeadline: (_: number, call: () => Promise<unknown>) => call(),
  withAbortSignal: (_: AbortSignal, call: () => Promise<unknown>) => call(),
  workflow: { getHandle: () => ({ signal: () => Promise.resolve() }) },
} as unknown as Client;

function environmentOf(info: Partial<Info> = {}): MockActivityEnvironment {
  number += 1;
  const fields: Partial<Info> = {
    activityId: `wait-${number}`,
    workflowExecution: { workflowId: 'task', runId: `run-${number}` },
    scheduledTimestampMs: 1_000,
    currentAttemptScheduledTimestampMs: 1_000,
    startToCloseTimeoutMs: 1_800_000,
    scheduleToCloseTimeoutMs: 3_600_000,
    ...info,
  };
  return new MockActivityEnvironment(fields, { client });
}

type Look = (look: Attempt) => Promise<unknown>;
const waitFor = (look: Look) => () => attempt({ subject: 'endpoint x', purpose: 'reading', isWait: true }, look);
const again = (pauseMs = 1) => notReady('endpoint x: Starting', pauseMs);

const failureOf = (running: Promise<unknown>): Promise<ApplicationFailure> =>
  running.then(
    () => Promise.reject(new Error('it did not fail')),
    (failure: unknown) => failure as ApplicationFailure,
  );

/** Polls that never succeed; `begun` resolves with the first one. */
function endless(): { readonly look: Look; readonly begun: Promise<void>; readonly count: () => number } {
  let looks = 0;
  let begin = (): void => undefined;
  const begun = new Promise<void>((resolve) => (begin = resolve));
  const look = (): Promise<never> => {
    looks += 1;
    begin();
    return Promise.reject(again(60_000));
  };
  return { look, begun, count: () => looks };
}

test('a wait polls repeatedly within one attempt, and knows how long it has lasted', async () => {
  const environment = environmentOf();
  const beats: unknown[] = [];
  environment.on('heartbeat', (details: unknown) => beats.push(details));
  const elapsed: number[] = [];
  const looks = waitFor(({ elapsedMs }) => {
    elapsed.push(elapsedMs);
    return elapsed.length < 4 ? Promise.reject(again(5)) : Promise.resolve('there');
  });
  expect(await environment.run(looks)).toBe('there');
  expect(elapsed).toHaveLength(4);
  expect([...elapsed].sort((a, b) => a - b)).toEqual(elapsed);
  expect(elapsed[3]).toBeGreaterThanOrEqual(12);
  // Each would be a write to Temporal's database.
  expect(beats).toEqual([]);
});

test('the next heartbeat has what was seen, and what another worker needs to continue: when the next poll was due, and only attempts that have ended', async () => {
  const environment = environmentOf({ heartbeatTimeoutMs: 40 });
  const beats: ReturnType<typeof remembered>[] = [];
  environment.on('heartbeat', (details: unknown) => beats.push(remembered(details)));
  const hasSeen = () => beats.some(({ progress }) => progress !== undefined);
  await environment.run(waitFor(() => (hasSeen() ? Promise.resolve() : Promise.reject(again(5)))));
  const beat = beats.find(({ progress }) => progress !== undefined);
  expect(beat?.progress).toBe('endpoint x: Starting');
  expect(beat?.memory).toMatchObject({ answered: 0, refusals: 0, lacking: null });
  expect(beat?.memory.dueMs).toBeGreaterThan(1_000);
});

test('a retry policy with a single attempt gets a single poll', async () => {
  const { look, count } = endless();
  const environment = environmentOf({ retryPolicy: { maximumAttempts: 1 } });
  expect(await failureOf(environment.run(waitFor(look)))).toMatchObject({ type: 'NotReady', nonRetryable: false });
  expect(count()).toBe(1);
});

test('an attempt with little time, as older workflow code gives it, ends by itself and is retried', () => {
  const next = (spentMs: number, startToCloseMs: number) =>
    pauseBeforeNextLook(again(1_000), { spentMs, startToCloseMs });
  expect([next(0, 120_000), next(29_000, 120_000), next(30_000, 120_000)]).toEqual([1_000, 1_000, undefined]);
  expect([next(0, 90_000), next(22_000, 90_000)]).toEqual([1_000, undefined]);
  expect([next(1_700_000, 1_800_000), next(1_710_000, 1_800_000)]).toEqual([1_000, undefined]);
  expect(next(1e9, 0)).toBe(1_000);
});

test('the waits that stay leave room for activities that must not wait; one more is retried after its poll', () => {
  const [first, second] = [admitWait(2), admitWait(2)];
  expect([first, second].every((leave) => leave !== undefined)).toBe(true);
  expect(admitWait(2)).toBeUndefined();
  first?.();
  const third = admitWait(2);
  expect(third).toBeDefined();
  second?.();
  third?.();
  expect(mostStaying).toBeLessThan(concurrency.maxConcurrentActivityTaskExecutions);
});

test('only NotReady is retried within the attempt: refusals and failures of the platform are left to Temporal', async () => {
  const environment = environmentOf();
  let looks = 0;
  const refused = new LeptonError('no', { kind: 'server', request: 'GET /deployments' });
  const look: Look = () => Promise.reject((looks += 1) < 2 ? again() : refused);
  expect(await failureOf(environment.run(waitFor(look)))).toMatchObject({ type: 'PlatformUnavailable' });
  expect(looks).toBe(2);
  expect(pauseBeforeNextLook(refused, { spentMs: 0, startToCloseMs: 0 })).toBeUndefined();
});

test('a refusal counts from the time when it occurred, not from the start of its attempt hours ago', async () => {
  const environment = environmentOf();
  let beat: unknown;
  environment.on('heartbeat', (details: unknown) => (beat = details));
  let looks = 0;
  const refused = new LeptonError('no', { kind: 'forbidden', request: 'GET /deployments' });
  const look: Look = () => Promise.reject((looks += 1) < 4 ? again(5) : refused);
  await failureOf(environment.run(waitFor(look)));
  expect(remembered(beat).memory.refusedSinceMs).toBeGreaterThanOrEqual(1_012);
});

test('a worker that is told to shut down leaves the wait to another worker at once', async () => {
  const environment = environmentOf();
  const ending = new AbortController();
  const { look, begun } = endless();
  const { wait } = withSettings({ wait: waitFor(look) }, { ending: ending.signal });
  const running = failureOf(environment.run(() => wait()));
  await begun;
  ending.abort(new WaitEnded('its worker ends'));
  expect(await running).toMatchObject({
    type: 'NotReady',
    nonRetryable: false,
    message: 'endpoint x: its worker ends',
    nextRetryDelay: 100,
  });
});

test('a poll that hangs does not keep the wait from ending', async () => {
  const environment = environmentOf();
  const ending = new AbortController();
  const { wait } = withSettings({ wait: waitFor(() => new Promise(() => undefined)) }, { ending: ending.signal });
  const running = failureOf(environment.run(() => wait()));
  ending.abort(new WaitEnded('its worker ends'));
  expect((await running).message).toBe('endpoint x: its worker ends');
});

test('a cancelled wait ends as cancelled', async () => {
  const environment = environmentOf();
  const { look, begun } = endless();
  const running = failureOf(environment.run(waitFor(look)));
  await begun;
  environment.cancel('CANCELLED');
  expect(await running).toBeInstanceOf(CancelledFailure);
});

test('the teardown of a task ends its waits in the same worker, and no others', async () => {
  const environment = environmentOf();
  const workflowExecution = { workflowId: 'task', runId: `run-${number}` };
  const other = environmentOf();
  const { look, begun } = endless();
  const ended: string[] = [];
  const running = failureOf(environment.run(waitFor(look))).then(({ message }) => ended.push(message));
  void failureOf(other.run(waitFor(look))).then(({ message }) => ended.push(`other: ${message}`));
  await begun;
  const removal = environmentOf({ workflowExecution });
  await removal.run(() => attempt({ subject: 'endpoint x', purpose: 'teardown' }, () => Promise.resolve()));
  await running;
  expect(ended).toEqual(['endpoint x: its task is torn down']);
  other.cancel('CANCELLED');
});

test('a wait itself reports that its time budget is used up', async () => {
  const environment = environmentOf({ scheduleToCloseTimeoutMs: 600 });
  const look: Look = () => Promise.reject(again(20));
  expect(await failureOf(environment.run(waitFor(look)))).toMatchObject({
    type: 'NotReady',
    nonRetryable: true,
    message: 'endpoint x: Starting',
  });
});

test('what changes during a look is looked at again at once', async () => {
  const listeners: (() => void)[] = [];
  const ended: number[] = [];
  const waker = new Waker();
  const listen = (number: number) =>
    waker.listen((wake) => {
      listeners.push(wake);
      return () => void ended.push(number);
    });
  const { signal } = new AbortController();
  listen(1);
  listeners[0]?.();
  await pause(60_000, signal, waker.subscribe);
  waker.rest();
  listen(2);
  expect(ended).toEqual([1]);
  const paused = pause(60_000, signal, waker.subscribe);
  listeners[1]?.();
  await paused;
  waker.close();
  expect(ended).toEqual([1, 2]);
});
