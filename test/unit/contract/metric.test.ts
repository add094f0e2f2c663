import fc from 'fast-check';
import { defaultPayloadConverter } from '@temporalio/common';
import {
  firstMetrics,
  flatCount,
  metricName,
  metricPayload,
  metricsOf,
  type Metric,
  type MetricPayload,
} from '../../../src/contract/metric';
import { metricSchema } from '../../../src/results/scores/metric-schema';
import type { FetchedResults } from '../../../src/contract/inputs/results';
import { recordedHistories } from '../../replay/history-file';
import { holds } from '../../support/fuzz';

const metricOf = (change: Partial<Metric> = {}): Metric => {
  const place = { path: ['hellaswag'], metric: 'acc', score: change.metric ?? 'acc', ...change };
  return { name: metricName(place), value: 0.25, stderr: null, count: null, kind: 'task', ...place };
};

const throughJson = (payload: MetricPayload): MetricPayload => JSON.parse(JSON.stringify(payload)) as MetricPayload;

test('a payload has a flat map that every build can read, and the details beside it', () => {
  const stem = { path: ['mmlu', 'stem'], kind: 'group' } as const;
  expect(
    metricPayload([
      metricOf({ stderr: 0.01, count: 10 }),
      metricOf({ metric: 'acc_norm', value: 'NaN' }),
      metricOf({ ...stem, score: 'micro' }),
    ]),
  ).toEqual({
    metrics: {
      hellaswag_acc: 0.25,
      hellaswag_acc_stderr: 0.01,
      hellaswag_acc_norm: 'NaN',
      mmlu_stem_acc_micro: 0.25,
    },
    metricDetails: [
      { path: ['hellaswag'], metric: 'acc', count: 10 },
      { count: null, metric: 'acc_norm' },
      { path: ['mmlu', 'stem'], kind: 'group', metric: 'acc', score: 'micro' },
    ],
  });
});

test('metrics written into a payload are read back unchanged, whatever their names', () => {
  const word = fc.constantFrom('a', 'a_stderr', 'stderr', 'b', '', '__proto__', '7', 'a.b');
  const value = fc.oneof(
    fc.double({ noDefaultInfinity: true, noNaN: true }).filter((x) => !Object.is(x, -0)),
    fc.constant('NaN' as const),
  );
  const metric = fc.record({
    name: fc.string({ maxLength: 6 }),
    value,
    stderr: fc.option(value),
    count: fc.option(fc.nat()),
    kind: fc.constantFrom('task' as const, 'group' as const),
    path: fc.array(word, { maxLength: 3 }),
    metric: word,
    score: word,
  });
  const named = fc.boolean();
  const list = fc.array(fc.tuple(metric, named)).map((entries) => {
    const metrics = entries.map(([one, isNamed]) => (isNamed ? one : { ...one, name: metricName(one) }));
    return [...new Map(metrics.map((one) => [one.name, one])).values()];
  });
  holds(
    fc.property(list, (metrics) => {
      expect(metricsOf(throughJson(metricPayload(metrics)))).toEqual(metrics);
      for (const one of metrics) expect(metricSchema.parse(one)).toEqual(one);
    }),
  );
});

describe('payloads of older builds, which have only the flat map', () => {
  test('a standard error is recognised by its name and belongs to the metric of that name, if there is one', () => {
    const flat = { acc: 0.25, acc_stderr: 0.01, lone_stderr: 0.5, 'h.acc.value': 1, 'h.acc.stderr': 0.1 };
    expect(metricsOf({ metrics: flat }).map(({ name, value, stderr }) => [name, value, stderr])).toEqual([
      ['acc', 0.25, 0.01],
      ['lone_stderr', 0.5, null],
      ['h.acc.value', 1, null],
      ['h.acc.stderr', 0.1, null],
    ]);
    expect(metricsOf({ metrics: { acc: 'NaN' } })).toEqual([
      { name: 'acc', value: 'NaN', stderr: null, count: null, kind: 'task', path: [], metric: 'acc', score: 'acc' },
    ]);
  });

  test('the results in recorded histories are readable', () => {
    const results = recordedHistories().flatMap(({ history }) =>
      (history.events ?? []).flatMap(({ activityTaskCompletedEventAttributes: completed }) => {
        const [payload] = completed?.result?.payloads ?? [];
        const result = payload && defaultPayloadConverter.fromPayload<Partial<FetchedResults> | null>(payload);
        return result?.metrics ? [{ ...result, metrics: result.metrics }] : [];
      }),
    );
    expect(results.length).toBeGreaterThan(10);
    for (const result of results) {
      const metrics = metricsOf(result);
      expect(metrics.map(({ name }) => name)).toEqual(
        Object.keys(result.metrics).filter((name) => !name.endsWith('_stderr')),
      );
      expect(metrics.filter(({ stderr }) => typeof stderr === 'number').length).toBeGreaterThan(0);
      expect(flatCount(metrics)).toBe(Object.keys(result.metrics).length);
    }
  });
});

test('details of metrics that an older build cut off are ignored, metrics without details are kept', () => {
  const { metricDetails } = metricPayload([metricOf({ stderr: 0.01 }), metricOf({ metric: 'f1' })]);
  const cut = metricsOf({ metrics: { hellaswag_f1: 0.5, other: 1, other_stderr: 2 }, metricDetails });
  expect(cut.map(({ name, value, stderr, path }) => [name, value, stderr, path])).toEqual([
    ['hellaswag_f1', 0.5, null, ['hellaswag']],
    ['other', 1, 2, []],
  ]);
});

test('the first metrics keep value and standard error together', () => {
  const metrics = [metricOf({ stderr: 1 }), metricOf({ metric: 'b', stderr: 1 }), metricOf({ metric: 'c' })];
  expect([0, 1, 2, 3, 4, 5].map((entries) => firstMetrics(metrics, entries).length)).toEqual([0, 0, 1, 1, 2, 3]);
});
