import { describeClockOffset, ServerClock, serverAheadMs } from '../../../src/lepton/server-clock';
import type { Client } from '@temporalio/client';
import { nowOf, temporalNow } from '../../../src/cli/temporal-clock';
import { serverNow } from '../../../src/stack/pollers';

/** A host's and a server's clock that differ. */

const minute = 60_000;
const now = Date.parse('2026-01-31T12:00:00Z');

test.each([
  [10 * minute, -10 * minute],
  [-10 * minute, 10 * minute],
  [4_000, 0],
])('the platform answers while this clock is %i ms ahead', (ahead, expected) => {
  expect(serverAheadMs(new Date(now).toUTCString(), now + ahead)).toBe(expected);
});

test.each([null, 'yesterday'])('a Date of %j is ignored', (date) => {
  expect(serverAheadMs(date, now)).toBeUndefined();
});

test("a server's clock follows the last date that it sent", () => {
  const clock = new ServerClock();
  clock.note('no date');
  expect(clock.aheadMs).toBe(0);
  clock.note(new Date(Date.now() + 10 * minute).toUTCString());
  clock.note(null);
  expect(Math.abs(clock.now() - Date.now() - 10 * minute)).toBeLessThan(2_000);
  clock.note(new Date(Date.now() - 2_000).toUTCString());
  expect(clock.aheadMs).toBe(0);
});

test('the description', () => {
  expect([-10 * minute, 10 * minute, -45_000, 20_000].map(describeClockOffset)).toEqual([
    '10 min ahead of',
    '10 min behind',
    '45 s ahead of',
    undefined,
  ]);
});

test.each([
  ['right', now, now],
  ['10 min ahead', now + 10 * minute, now - 5_000],
  ['10 min behind', now - 10 * minute, now - 5_000],
])('pollers seen 5 s ago, with a clock that is %s', (_, here, expected) => {
  expect(serverNow([now - 5_000, now - 40_000], here)).toBe(expected);
});

test('one that was seen four minutes ago is gone; without any, there is but one clock', () => {
  expect(serverNow([now - 4 * minute], now)).toBe(now);
  expect(serverNow([], now)).toBe(now);
});

describe("commands count by Temporal's clock", () => {
  const client = (serverAhead: number): Client =>
    ({
      options: { namespace: 'default' },
      withDeadline: <T>(_: number, ask: () => Promise<T>) => ask(),
      workflowService: {
        describeTaskQueue: () =>
          Promise.resolve({
            pollers: [{ lastAccessTime: { seconds: Math.floor((Date.now() + serverAhead) / 1_000) } }],
          }),
      },
    }) as unknown as Client;

  test.each([
    [10 * minute, '10 min behind'],
    [-10 * minute, '10 min ahead of'],
  ])('which is %i ms ahead of theirs, and say so', async (aheadMs, words) => {
    const warnings: string[] = [];
    const read = await temporalNow(client(aheadMs), 'queue', { warn: (line) => warnings.push(line) });
    expect(Math.abs(read - Date.now() - aheadMs)).toBeLessThan(minute);
    expect(warnings).toEqual([expect.stringContaining(`clock is about ${words} Temporal's`)]);
  });

  test('an open run up to now, an ended one not at all', async () => {
    const warnings: string[] = [];
    const read = (status: 'running' | 'succeeded') =>
      nowOf({ status, taskQueue: 'queue' }, client(-10 * minute), { warn: (line) => warnings.push(line) });
    expect(Math.abs((await read('running')) - Date.now() + 10 * minute)).toBeLessThan(minute);
    expect(warnings).toHaveLength(1);
    expect(Math.abs((await read('succeeded')) - Date.now())).toBeLessThan(minute);
    expect(warnings).toHaveLength(1);
  });

  test('and say nothing where both are right, or nobody can tell', async () => {
    const warnings: string[] = [];
    const away = { options: {}, withDeadline: () => Promise.reject(new Error('away')) } as unknown as Client;
    for (const one of [client(-2_000), away]) await temporalNow(one, 'queue', { warn: (line) => warnings.push(line) });
    expect(warnings).toEqual([]);
  });
});
