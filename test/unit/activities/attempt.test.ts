import type { Client } from '@temporalio/client';
import type { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { attempt, withSettings } from '../../../src/activities/attempt';
import { NotOnThisWorker } from '../../../src/activities/elsewhere';
import { finalFailure, finalIfOutOfTime, notReady, type Purpose } from '../../../src/activities/failures';
import { LeptonError, type LeptonErrorKind } from '../../../src/lepton/lepton-error';
import type { Pace } from '../../../src/lepton/pace';

/** How often a refused call is retried. */

const refused = (kind: LeptonErrorKind, pace: Pace = 'lepton'): LeptonError =>
  new LeptonError(kind, { kind, pace, request: 'GET /deployments/x' });
const look = () => notReady('still there', 1);

interface Ended {
  readonly failures: readonly ApplicationFailure[];
  /** Messages signalled to the task's workflow meanwhile. */
  readonly told: readonly string[];
}

/** The error of one attempt, and when the attempt is due, seconds after the activity was scheduled. */
interface Meeting {
  readonly error: Error;
  readonly at: number;
}

interface Course {
  readonly purpose: Purpose;
  /** Milliseconds by which the workers' clocks are ahead of the server's. */
  readonly skewMs?: number;
  readonly budgetMs?: number;
}

/** A client whose signals go nowhere but to `hears`. */
function clientThat(hears: (message: string) => void): Client {
  const signal = (_: unknown, { message }: { message: string }) => Promise.resolve(hears(message));
  return {
    withDeadline: (_: number, call: () => Promise<unknown>) => call(),
    // The activity's context wraps every call so that it ends with the activity.
    withAbortSignal: (_: AbortSignal, call: () => Promise<unknown>) => call(),
    workflow: { getHandle: () => ({ signal }) },
  } as unknown as Client;
}

/** Runs the attempts of one activity, whose work fails with these errors, and returns how each ends. */
async function endsOf(
  meetings: readonly Meeting[],
  { purpose, skewMs = 0, budgetMs = 3_600_000 }: Course,
): Promise<Ended> {
  const failures: ApplicationFailure[] = [];
  const told: string[] = [];
  const client = clientThat((message) => told.push(message));
  const scheduledTimestampMs = Date.now() - skewMs;
  const activityType = `activity ${(activities += 1)}`;
  let heartbeatDetails: unknown;
  for (const [index, { error, at }] of meetings.entries()) {
    const environment = new MockActivityEnvironment(
      {
        activityId: activityType,
        activityType,
        attempt: index + 1,
        heartbeatDetails,
        scheduledTimestampMs,
        currentAttemptScheduledTimestampMs: scheduledTimestampMs + at * 1_000,
        scheduleToCloseTimeoutMs: budgetMs,
      },
      { client },
    );
    environment.on('heartbeat', (details: unknown) => (heartbeatDetails = details));
    const work = () => attempt({ subject: 'endpoint x', purpose }, () => Promise.reject(error));
    failures.push((await environment.run(work).catch((failure: unknown) => failure)) as ApplicationFailure);
  }
  return { failures, told };
}

let activities = 0;

/** The same error at each of these times. */
const at = (error: Error, ...seconds: readonly number[]): Meeting[] => seconds.map((second) => ({ error, at: second }));

const finals = ({ failures }: Ended): boolean[] => failures.map(({ nonRetryable }) => nonRetryable === true);
const pauses = ({ failures }: Ended): number[] => failures.map(({ nextRetryDelay }) => Number(nextRetryDelay ?? 0));

const patient = ['reading', 'teardown'] as const;
const kinds = [refused('unauthorized'), refused('forbidden'), refused('not_found')];

describe.each(patient)('a %s', (purpose) => {
  test.each(kinds)('survives three minutes of refusals, however many: $message', async (error) => {
    const many = Array.from({ length: 90 }, (_, index) => index * 2);
    expect(finals(await endsOf(at(error, ...many), { purpose }))).toEqual(many.map(() => false));
  });

  test.each(kinds)(
    'fails after more than three minutes of refusals, and says what was refused: $message',
    async (error) => {
      const ended = await endsOf(at(error, 0, 60, 120, 180, 240), { purpose });
      expect(finals(ended)).toEqual([false, false, false, false, true]);
      expect(ended.failures.at(-1)?.message).toContain(error.message);
    },
  );

  test('counts the time from the first of consecutive refusals', async () => {
    const course = [
      ...at(refused('forbidden'), 0, 100),
      ...at(look(), 150),
      ...at(refused('forbidden'), 260, 400, 470),
    ];
    expect(finals(await endsOf(course, { purpose }))).toEqual([false, false, false, false, false, true]);
  });

  test.each([-600_000, 600_000])('fails after the same time if the worker’s clock is off by %d ms', async (skewMs) => {
    const ended = await endsOf(at(refused('unauthorized'), 0, 60, 120, 180, 240), { purpose, skewMs });
    expect(finals(ended)).toEqual([false, false, false, false, true]);
  });
});

test.each([-600_000, 600_000])(
  'a short time budget neither ends early nor lasts forever if the worker’s clock is off by %d ms',
  async (skewMs) => {
    const times = Array.from({ length: 11 }, (_, index) => index * 10);
    const looks = at(notReady('being deleted', 10_000), ...times);
    const ended = await endsOf(looks, { purpose: 'teardown', skewMs, budgetMs: 120_000 });
    expect(finals(ended)).toEqual([...Array<boolean>(10).fill(false), true]);
  },
);

test('a failure is not final if half of the time budget passed before any worker could act', async () => {
  // No worker took the third attempt for a hundred seconds.
  const ended = await endsOf(at(refused('network'), 0, 1, 102, 110), { purpose: 'teardown', budgetMs: 120_000 });
  expect(finals(ended)).toEqual([false, false, false, false]);
});

test('a platform on this machine is asked again sooner', async () => {
  const times = [0, 1, 2, 4, 8, 14, 20];
  for (const pause of pauses(await endsOf(at(refused('unauthorized', 'local'), ...times), { purpose: 'reading' })))
    expect(pause).toBeLessThanOrEqual(6_000);
});

test('while a refusal is retried, the task shows the reason', async () => {
  const { told } = await endsOf(at(refused('unauthorized'), 0, 10, 20), { purpose: 'reading' });
  expect(told).toEqual(['endpoint x: unauthorized']);
});

test('a step that the platform refuses fails at once and is not retried', async () => {
  for (const error of [refused('forbidden'), refused('invalid_request')])
    expect((await endsOf(at(error, 0), { purpose: 'step' })).failures).toMatchObject([{ nonRetryable: true }]);
});

test('a step whose token is refused waits: a new token takes minutes to be valid everywhere', async () => {
  const ended = await endsOf(at(refused('unauthorized'), 0, 60, 180, 240), { purpose: 'step' });
  expect(finals(ended)).toEqual([false, false, false, true]);
  // All were answered: nothing can have been created.
  expect(ended.failures.at(-1)?.details).toEqual([{ lost: false }]);
});

test.each([refused('forbidden'), finalFailure('SecretMissing', 'no such variable')])(
  'a final failure says that the answer to an earlier attempt is missing: $message',
  async (error) => {
    const ended = await endsOf([...at(refused('network'), 0), ...at(error, 1)], { purpose: 'step' });
    expect(ended.failures.at(-1)).toMatchObject({ nonRetryable: true, details: [{ lost: true }] });
  },
);

test("an endpoint's log is given up after two attempts; a refused token gets more time", async () => {
  const course = (error: Error) => endsOf(at(error, 0, 2), { purpose: 'endpoint log' });
  expect(finals(await course(refused('server')))).toEqual([false, true]);
  expect(finals(await course(refused('unauthorized')))).toEqual([false, false]);
  expect(finals(await course(refused('not_found')))).toEqual([true, true]);
});

test("a job's log is given up after six attempts: no endpoint costs money meanwhile", async () => {
  const ended = await endsOf(at(refused('rate_limited'), 0, 1, 2, 4, 8, 16), { purpose: 'job log' });
  expect(finals(ended)).toEqual([false, false, false, false, false, true]);
});

test('an outage is always retried, however long it lasts', async () => {
  const ended = await endsOf(at(refused('server'), 0, 60, 120, 180, 240, 300), { purpose: 'teardown' });
  expect(finals(ended)).toEqual(Array(6).fill(false));
  expect(ended.failures[0]?.type).toBe('PlatformUnavailable');
});

test.each([
  ['polls', notReady('still there', 1)],
  ['attempts on workers without credentials', new NotOnThisWorker('no credentials here')],
])('the pause after an outage does not grow with earlier %s', async (_, before) => {
  const course = [...at(before, ...Array.from({ length: 20 }, (__, index) => index)), ...at(refused('server'), 21, 22)];
  const [first, second] = pauses(await endsOf(course, { purpose: 'teardown' })).slice(-2);
  expect(first).toBeLessThanOrEqual(2_000);
  expect(second).toBeLessThanOrEqual(4_000);
});

test('an attempt that its worker may not make does nothing, and the next one knows that', async () => {
  const admit = () => Promise.reject(new NotOnThisWorker('a worker of another installation got this step'));
  const lost: boolean[] = [];
  const create = () =>
    attempt({ subject: 'endpoint x', purpose: 'step' }, ({ isAnswerMissing }) => {
      lost.push(isAnswerMissing);
      return Promise.resolve();
    });
  const run = async (step: number, settings: Parameters<typeof withSettings>[1], heartbeatDetails?: unknown) => {
    let details = heartbeatDetails;
    const times = { scheduledTimestampMs: 0, currentAttemptScheduledTimestampMs: 0, scheduleToCloseTimeoutMs: 60_000 };
    const info = { activityId: 'y', attempt: step, heartbeatDetails, ...times };
    const environment = new MockActivityEnvironment(info, { client: clientThat(() => undefined) });
    environment.on('heartbeat', (seen: unknown) => (details = seen));
    const { type } =
      ((await environment
        .run(withSettings({ create }, settings).create)
        .catch((failure: unknown) => failure)) as ApplicationFailure) ?? {};
    return { type, details };
  };
  const first = await run(1, { admit });
  expect(first.type).toBe('NotOnThisWorker');
  expect(lost).toEqual([]);
  await run(2, { admit: () => Promise.resolve() }, first.details);
  expect(lost).toEqual([false]);
});

test('an unanswered attempt ends itself before Temporal does', async () => {
  const times = { scheduledTimestampMs: 0, currentAttemptScheduledTimestampMs: 0, scheduleToCloseTimeoutMs: 500 };
  const environment = new MockActivityEnvironment({ activityId: 'silent', attempt: 1, ...times });
  const silent = () => attempt({ subject: 'job x', purpose: 'teardown' }, () => new Promise(() => undefined));
  await expect(environment.run(silent)).rejects.toMatchObject({
    type: 'PlatformUnavailable',
    nonRetryable: true,
    message: 'job x: no answer within the time limit',
  });
});

test('the last attempt within the time budget ends the activity and says what it saw', () => {
  const failure = notReady('still being deleted', 3_000);
  const after = (elapsedMs: number, budgetMs = 60_000): unknown =>
    finalIfOutOfTime(failure, { elapsedMs, idleMs: 0, budgetMs });
  expect(after(41_000)).toBe(failure);
  expect(after(42_000)).toMatchObject({ message: 'still being deleted', type: failure.type, nonRetryable: true });
  // A short budget loses little of its time; a budget of 0 means no limit.
  expect(after(4_000, 10_000)).toBe(failure);
  expect(after(5_000, 10_000)).toMatchObject({ nonRetryable: true });
  expect(after(5_000, 0)).toBe(failure);
  const other = new Error('a bug');
  expect(finalIfOutOfTime(other, { elapsedMs: 60_000, idleMs: 0, budgetMs: 60_000 })).toBe(other);
});
