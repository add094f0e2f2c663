import { answered, refused, take, unlimited, waitOf, type RequestRate } from '../../../src/lepton/request-rate';

/** A platform that has just refused one of 20 requests per second, at second 10. */
const halved = (retryAfterMs?: number): RequestRate =>
  refused(unlimited, { nowMs: 10_000, sentAtMs: 9_900, retryAfterMs, seenPerSecond: 20, random: 0 });

/** Sends as fast as allowed from `fromMs` on; returns the times of the first requests. */
function timesOf(rate: RequestRate, { fromMs, count }: { fromMs: number; count: number }): number[] {
  const times: number[] = [];
  let nowMs = fromMs;
  for (let current = rate; times.length < count;) {
    const taken = take(current, nowMs);
    current = taken.rate;
    if (taken.waitMs <= 0) times.push(Math.round(nowMs));
    else nowMs += Math.max(taken.waitMs, 0.01);
  }
  return times;
}

test('as long as nothing was refused, nothing waits', () => {
  expect(timesOf(unlimited, { fromMs: 0, count: 1_000 }).at(-1)).toBe(0);
  expect(waitOf(unlimited, { nowMs: 0, ahead: 1_000 })).toBe(0);
});

test('after a refusal nothing is sent for as long as the platform asks, then half as much per second as before', () => {
  const times = timesOf(halved(3_000), { fromMs: 10_000, count: 31 });
  expect(times[0]).toBe(13_000);
  expect(times.at(-1)).toBeCloseTo(16_000, -1);
});

test('workers that were refused together do not return together', () => {
  const at = (random: number) =>
    timesOf(refused(unlimited, { nowMs: 0, sentAtMs: -1, retryAfterMs: 2_000, seenPerSecond: 9, random }), {
      fromMs: 0,
      count: 1,
    })[0];
  expect([at(0), at(0.5), at(0.999)]).toEqual([2_000, 2_100, 2_200]);
});

test('thirty refusals of one burst halve the rate once; a refusal after that halves it again', () => {
  let rate = halved(1_000);
  for (let more = 0; more < 29; more += 1)
    rate = refused(rate, { nowMs: 10_050, sentAtMs: 9_900, retryAfterMs: 1_000, seenPerSecond: 20, random: 0 });
  expect(rate.perSecond).toBe(10);
  const again = refused(rate, { nowMs: 12_000, sentAtMs: 11_500, retryAfterMs: 1_000, seenPerSecond: 10, random: 0 });
  expect(again.perSecond).toBe(5);
});

test('a refusal without Retry-After pauses for a second, then ever longer, until something is answered', () => {
  const first = halved();
  expect(first.closedUntilMs).toBe(11_000);
  const second = refused(first, {
    nowMs: 12_000,
    sentAtMs: 11_900,
    retryAfterMs: undefined,
    seenPerSecond: 5,
    random: 0,
  });
  expect(second.closedUntilMs).toBe(14_000);
  const well = answered(second, { nowMs: 15_000, sentAtMs: 14_900 });
  const third = refused(well, {
    nowMs: 16_000,
    sentAtMs: 15_900,
    retryAfterMs: undefined,
    seenPerSecond: 5,
    random: 0,
  });
  expect(third.closedUntilMs).toBe(17_000);
});

test('answers raise the rate by a quarter of a request per second each second, until there is no limit any more', () => {
  let rate = halved(0);
  let nowMs = 10_000;
  const answerFor = (seconds: number): void => {
    for (const end = nowMs + seconds * 1_000; nowMs < end; nowMs += Math.max(1_000 / rate.perSecond, 1))
      rate = answered(rate, { nowMs, sentAtMs: nowMs + 1 });
  };
  answerFor(60);
  expect(rate.perSecond).toBeGreaterThan(23);
  expect(rate.perSecond).toBeLessThan(27);
  answerFor(400);
  expect(rate).toEqual(unlimited);
});

test('a rate never falls to nothing, and a huge Retry-After is bounded', () => {
  let rate: RequestRate = unlimited;
  for (let at = 1; at <= 20; at += 1)
    rate = refused(rate, { nowMs: at * 1_000, sentAtMs: at * 1_000 - 1, retryAfterMs: 1, seenPerSecond: 1, random: 0 });
  expect(rate.perSecond).toBe(0.5);
  expect(halved(86_400_000).closedUntilMs).toBe(10_000 + 300_000);
});

test('an idle minute does not add up to a burst of a minute', () => {
  const times = timesOf(halved(0), { fromMs: 70_000, count: 20 });
  expect(times.filter((at) => at === 70_000)).toHaveLength(5);
});
