import {
  headsAtMost,
  normalBelow,
  normalQuantile,
  tBelow,
  tQuantile,
  tTwoSided,
} from '../../../src/compare/statistics/distributions';
import { holmAdjusted } from '../../../src/compare/statistics/holm';
import { intervalOf, meanDifference, sumOf } from '../../../src/compare/statistics/mean-difference';
import { exactMcNemar, signFlipTest } from '../../../src/compare/statistics/paired-tests';
import { detectableDifference, unseenShare } from '../../../src/compare/statistics/power';
import oracle from '../../fixtures/comparing/oracle.json';
import vectors from '../../fixtures/comparing/vectors.json';

/** `oracle.json` holds what SciPy and statsmodels say; test/conformance/comparing computes it again. */

const differencesOf = ({ base, candidate }: { base: number[]; candidate: number[] }): Float64Array =>
  Float64Array.from(base, (value, at) => (candidate[at] ?? NaN) - value);

const near = (value: number | undefined | null, expected: number | undefined, digits = 10): void => {
  expect(value).toBeDefined();
  if (expected === undefined) throw new Error('the oracle says nothing');
  expect(Math.abs((value ?? NaN) - expected)).toBeLessThanOrEqual(10 ** -digits * Math.max(1e-3, Math.abs(expected)));
};

describe.each(vectors.paired.map((vector, at) => ({ ...vector, expected: oracle.paired[at] })))(
  'paired: $name',
  ({ expected, ...vector }) => {
    const values = differencesOf(vector);

    test('mean, standard error and interval', () => {
      const mean = meanDifference({ values, parts: null, clusters: null });
      near(mean.mean, expected?.mean);
      near(mean.stderr, expected?.stderr);
      const interval = intervalOf(mean, 0.95);
      near(interval?.[0], expected?.interval[0]);
      near(interval?.[1], expected?.interval[1]);
    });

    if (expected?.mcnemar)
      test("McNemar's exact test", () => {
        const up = values.filter((value) => value > 0).length;
        const { p, low, high } = exactMcNemar({ up, down: values.filter((value) => value < 0).length });
        near(p, expected.mcnemar?.p);
        near(low, expected.mcnemar?.low);
        near(high, expected.mcnemar?.high);
      });

    if (expected?.signFlip)
      test('sign flips, all of them', () => {
        const { p, low, high, isExact } = signFlipTest(values, 1);
        expect(isExact).toBe(true);
        near(p, expected.signFlip?.p);
        near(low, expected.signFlip?.low);
        near(high, expected.signFlip?.high);
      });

    if (expected?.clustered)
      test('clustered standard error', () => {
        const names = [...new Set(vector.clusters)];
        const of = Uint32Array.from(vector.clusters ?? [], (name) => names.indexOf(name));
        const mean = meanDifference({ values, parts: null, clusters: { of, count: names.length } });
        near(mean.stderr, expected.clustered?.stderr);
        near(tTwoSided(mean.mean / (mean.stderr ?? NaN), mean.degrees), expected.clustered?.p, 8);
        near(intervalOf(mean, 0.95)?.[0], expected.clustered?.interval[0], 8);
      });
  },
);

test('samples of several parts weigh by their number, and are clusters of them', () => {
  const sums = meanDifference({ values: Float64Array.of(-1, 2, 0), parts: Float64Array.of(2, 3, 1), clusters: null });
  // The same six numbers one by one.
  const single = meanDifference({
    values: Float64Array.of(-1, 0, 1, 1, 0, 0),
    parts: null,
    clusters: { of: Uint32Array.of(0, 0, 1, 1, 1, 2), count: 3 },
  });
  near(sums.mean, single.mean);
  near(sums.stderr, single.stderr ?? undefined);
});

test('drawn sign flips come near the exact ones, the same for the same seed', () => {
  const values = Float64Array.from({ length: 40 }, (_, at) => ((at * 7919) % 101) / 100 - 0.42);
  const first = signFlipTest(values, 1);
  expect(first).toEqual(signFlipTest(values, 1));
  expect(first.p).not.toBe(signFlipTest(values, 2).p);
  const { mean, stderr, degrees } = meanDifference({ values, parts: null, clusters: null });
  expect(Math.abs(first.p - tTwoSided(mean / (stderr ?? NaN), degrees))).toBeLessThan(0.02);
  expect(first.permutations).toBe(10_000);
});

test('tests of nothing find nothing', () => {
  expect(exactMcNemar({ up: 0, down: 0 })).toEqual({ p: 1, low: 1, high: 1 });
  expect(signFlipTest(new Float64Array(20), 1).p).toBe(1);
  expect(meanDifference({ values: Float64Array.of(0.5), parts: null, clusters: null }).stderr).toBeNull();
});

test('Holm', () => {
  for (const [at, ps] of vectors.holm.entries())
    holmAdjusted(ps).forEach((adjusted, rank) => near(adjusted, oracle.holm[at]?.[rank]));
  expect(holmAdjusted([0.04, null, 0.01])).toEqual([0.04, null, 0.02]);
});

test('distributions', () => {
  for (const [at, [p = 0, x = 0, df = 1]] of vectors.t.entries()) {
    near(tQuantile(p, df), oracle.t[at]?.[0]);
    near(tBelow(x, df), oracle.t[at]?.[1]);
  }
  for (const [at, [p = 0, x = 0]] of vectors.normal.entries()) {
    near(normalQuantile(p), oracle.normal[at]?.[0]);
    near(normalBelow(x), oracle.normal[at]?.[1]);
  }
  for (const [at, [k = 0, n = 0]] of vectors.binomial.entries()) near(headsAtMost(k, n), oracle.binomial[at]);
});

test('what could have been seen', () => {
  near(detectableDifference(0.01, 0.05), 0.028015852, 8);
  expect(detectableDifference(0, 0.05)).toBeNull();
  near(unseenShare(100, 0.95), 0.0295130496, 6);
});

test('sums of many small numbers keep their digits', () => {
  expect(sumOf(new Float64Array(1_000_000).fill(0.1))).toBeCloseTo(100_000, 9);
});
