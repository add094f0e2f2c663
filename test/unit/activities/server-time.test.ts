import { MockActivityEnvironment } from '@temporalio/testing';
import { performance } from 'node:perf_hooks';
import { noteServerTime, serverNowMs } from '../../../src/activities/server-time';
import { flushNews, tellEndpointGone, withTelling } from '../../../src/activities/telling';
import type { TaskNews } from '../../../src/contract/state';
import { clientThat } from '../../support/activity-client';

/** Times that cost money are the server's, whatever the clock of the worker says. In this order: what was known of a clock stays. */

const minute = 60_000;
const owner = { platform: { kind: 'local', workspace: 'w' }, invocation: '0123456789abcdef' };

interface Course {
  /** By the server's clock, milliseconds since the epoch. */
  readonly scheduledAt: number;
  readonly index: number;
}

/** Runs an activity that is due now and takes a moment; returns its news, and what `tellEndpointGone` returned in it. */
async function newsOf(name: string, { scheduledAt, index }: Course): Promise<{ news: TaskNews; gone: string }> {
  const told: TaskNews[] = [];
  const client = clientThat((all) => told.push(...(all as TaskNews[])));
  const times = { scheduledTimestampMs: scheduledAt, currentAttemptScheduledTimestampMs: scheduledAt };
  let gone = '';
  const activities = withTelling({
    [name]: async (): Promise<void> => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      gone = tellEndpointGone();
    },
  });
  const environment = new MockActivityEnvironment(times, { client });
  await environment.run(activities[name] as (input: object) => Promise<void>, {
    ...owner,
    index,
    tell: { run: `run ${index}` },
  });
  await flushNews();
  const [first, ...others] = told;
  if (!first || others.length > 0) throw new Error(`told ${told.length} times`);
  return { news: first, gone };
}

test.each([
  ['ahead', -10],
  ['right', 0],
  ['behind', 10],
])('the clock of the worker is %s', async (_, minutes) => {
  const begunAt = performance.now();
  const scheduledAt = Date.now() + minutes * minute;
  const { news, gone } = await newsOf('removeEndpoint', { scheduledAt, index: minutes });
  // Dates have whole milliseconds.
  const longest = performance.now() - begunAt + 1;
  for (const at of [gone, news.ended?.endpoint]) {
    const elapsed = Date.parse(at ?? '') - scheduledAt;
    expect(elapsed).toBeGreaterThan(0);
    expect(elapsed).toBeLessThanOrEqual(longest);
  }
});

test('an attempt that waited for its worker does not turn the time back', () => {
  noteServerTime({ currentAttemptScheduledTimestampMs: Date.now() + 30 * minute });
  const before = serverNowMs();
  noteServerTime({ currentAttemptScheduledTimestampMs: Date.now() });
  expect(serverNowMs()).toBeGreaterThanOrEqual(before);
});
