import { clockDifferenceMs, describeClockOffset } from '../../../src/lepton/clock';
import { serverNow } from '../../../src/stack/pollers';

/** Two clocks, one of them wrong. */

const minute = 60_000;
const now = Date.parse('2026-01-31T12:00:00Z');

test.each([
  [10 * minute, 10 * minute],
  [-10 * minute, -10 * minute],
  [20_000, 0],
])('the platform answers while this clock is %i ms ahead', (ahead, told) => {
  expect(clockDifferenceMs(new Date(now).toUTCString(), now + ahead)).toBe(told);
});

test.each([null, 'yesterday'])('a Date of %j tells nothing', (date) => {
  expect(clockDifferenceMs(date, now)).toBe(0);
});

test('in words', () => {
  expect([10 * minute, -10 * minute, 45_000].map(describeClockOffset)).toEqual([
    '10 min ahead of',
    '10 min behind',
    '45 s ahead of',
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
