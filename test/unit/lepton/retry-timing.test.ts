import fc from 'fast-check';
import type { LeptonErrorKind } from '../../../src/lepton/lepton-error';
import { parseRetryAfter, pollDelayMs, retryDelayMs } from '../../../src/lepton/retry-timing';
import { holds } from '../../support/fuzz';

const kinds: LeptonErrorKind[] = ['network', 'server', 'rate_limited', 'invalid_response', 'conflict', 'forbidden'];
const fiveMinutes = 300_000;

test('the delay doubles with each attempt up to its cap, and is drawn from the upper half', () => {
  const at = (attempt: number, random: number) =>
    retryDelayMs({ kind: 'server', attempt, retryAfterMs: undefined, random: () => random });
  expect([1, 2, 3, 4].map((attempt) => at(attempt, 0))).toEqual([500, 1_000, 2_000, 4_000]);
  expect(at(1, 0.999_999)).toBe(1_000);
  expect(at(50, 0.999_999)).toBe(60_000);
});

test('the delay is positive, bounded, and never below Retry-After', () => {
  holds(
    fc.property(
      fc.constantFrom(...kinds),
      fc.integer({ min: 0, max: 100_000 }),
      fc.option(fc.integer({ min: 0, max: 10 * fiveMinutes }), { nil: undefined }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (kind, attempt, retryAfterMs, random) => {
        const delay = retryDelayMs({ kind, attempt, retryAfterMs, random: () => random });
        expect(delay).toBeGreaterThan(0);
        expect(delay).toBeLessThanOrEqual(fiveMinutes);
        expect(delay).toBeGreaterThanOrEqual(Math.min(retryAfterMs ?? 0, fiveMinutes));
      },
    ),
  );
});

test('polls: local every 300 ms to 2 s, Lepton every 3 s to 15 s', () => {
  expect(pollDelayMs({ elapsedMs: 0, platform: 'local' })).toBe(300);
  expect(pollDelayMs({ elapsedMs: 30_000, platform: 'local' })).toBe(900);
  expect(pollDelayMs({ elapsedMs: 3_600_000, platform: 'local' })).toBe(2_000);
  expect(pollDelayMs({ elapsedMs: -5, platform: 'lepton' })).toBe(3_000);
  expect(pollDelayMs({ elapsedMs: 3_600_000, platform: 'lepton' })).toBe(15_000);
});

test('Retry-After as seconds, as an HTTP date, in the past, and invalid', () => {
  const now = Date.UTC(2025, 10, 25, 12, 0, 0);
  expect(parseRetryAfter('30', now)).toBe(30_000);
  expect(parseRetryAfter(' 0 ', now)).toBe(0);
  expect(parseRetryAfter('Tue, 25 Nov 2025 12:01:00 GMT', now)).toBe(60_000);
  expect(parseRetryAfter('Tue, 25 Nov 2025 11:00:00 GMT', now)).toBe(0);
  for (const nonsense of [null, '', 'soon', '-5', '2025', 'Tue, yesterday']) {
    expect(parseRetryAfter(nonsense, now)).toBe(nonsense === '2025' ? 2_025_000 : undefined);
  }
});
