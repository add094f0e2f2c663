import { isWorthReporting, type LastReport } from '../../../src/activities/news';
import type { RunPlan } from '../../../src/contract/plan';
import { metricPayload, metricsOf, type Metric } from '../../../src/contract/metric';
import { maxSharedBytes, maxPlanBytes, describeOversize, sizeOfPlan } from '../../../src/contract/plan-size';
import { planIn, runArguments } from '../../../src/contract/run-arguments';
import { startingRun, type RunSnapshot } from '../../../src/contract/state';
import { fitMetrics, maxEntries } from '../../../src/results/scores/fit-metrics';
import { wholeSnapshot } from '../../../src/contract/sent-snapshot';
import { fitRun, jsonBytes, maxSnapshotBytes } from '../../../src/workflows/fitting';
import { shouldSignalMessage, signalsPerTask } from '../../../src/workflows/signal-budget';
import { runPlan } from '../../support/plans';

/** Temporal ends a workflow that has more than 51,200 events or 10,000 signals. */
const bounds = { events: 51_200, signals: 10_000 };

describe('a run of many tasks', () => {
  test.each([false, true])('stays within both limits at every size (costs counted: %p)', (isCounted) => {
    for (let tasks = 1; tasks <= 1_000; tasks += 1) {
      const news = signalsPerTask({ tasks, isCounted });
      const signals = news + 1 + (isCounted ? 3 : 0);
      // Measured for start, Ready, the job's start and the end; each signal has a workflow task of its own.
      const events = 18 + 4 * news + (isCounted ? 12 + 8 : 0);
      expect({ tasks, signals: tasks * signals <= bounds.signals, events: tasks * events <= bounds.events }).toEqual({
        tasks,
        signals: true,
        events: true,
      });
    }
  });

  test('a small one gets many signals from each task, the largest only its phases', () => {
    expect(signalsPerTask({ tasks: 3, isCounted: false })).toBe(60);
    expect(signalsPerTask({ tasks: 1_000, isCounted: false })).toBe(4);
    expect(signalsPerTask({ tasks: 1_000, isCounted: true })).toBe(0);
  });
});

test('five days of polls with a different message each time add fewer than 2,000 events to a task', () => {
  const day = 86_400_000;
  const allowed = signalsPerTask({ tasks: 1, isCounted: false });
  let last: LastReport | undefined;
  let observed = 0;
  let sent = 7;
  let lastMessageAt = 0;
  for (let nowMs = 1; nowMs < 5 * day; nowMs += 5_000) {
    const message = `step ${nowMs}`;
    if (!isWorthReporting({ message, nowMs, sinceMs: 0 }, last)) continue;
    last = { message, atMs: nowMs };
    observed += 1;
    if (!shouldSignalMessage({ sent, allowed, startedAt: 0, lastMessageAt }, nowMs)) continue;
    lastMessageAt = nowMs;
    sent += 1;
  }
  // The job and its endpoint may both report often. A signal with its workflow task is 4 events; signalling the run is 5.
  const events = 150 + 2 * observed * 4 + sent * 5;
  expect({ observed, sent }).toEqual({ observed: expect.any(Number), sent: expect.any(Number) });
  expect(observed).toBeGreaterThan(50);
  expect(events).toBeLessThan(2_000);
});

describe('a plan', () => {
  const plan = runPlan({ outputRoot: '/results', tasks: Array.from({ length: 100 }, (_, at) => `t-${at}`) });
  const bytesOf = Buffer.byteLength;
  const packedSize = (one: RunPlan): number =>
    runArguments(one, { searchAttributes: true }).reduce((sum, argument) => sum + bytesOf(JSON.stringify(argument)), 0);
  const sizeWith = (change: Partial<RunPlan>): ReturnType<typeof sizeOfPlan> =>
    sizeOfPlan({ ...plan, ...change }, bytesOf);
  const ownerOf = (bytes: number): { owner: string } => ({ owner: 'x'.repeat(bytes) });
  /** Large enough to be packed. */
  const someOwner = 100_000;

  test('of exactly the limit fits, one byte more does not', () => {
    const [task] = plan.tasks;
    const single = { ...plan, tasks: task ? [task] : [] };
    const room = maxPlanBytes - packedSize({ ...single, ...ownerOf(someOwner) }) + someOwner;
    expect(sizeOfPlan({ ...single, ...ownerOf(room) }, bytesOf)).toEqual({ kind: 'fits' });
    expect(sizeOfPlan({ ...single, ...ownerOf(room + 1) }, bytesOf)).toEqual({ kind: 'plan', bytes: maxPlanBytes + 1 });
  });

  test('does not fit if its shared part, times the number of tasks, exceeds what a history holds', () => {
    const shared = bytesOf(JSON.stringify({ ...plan, owner: '', tasks: [] }));
    const base = packedSize({ ...plan, ...ownerOf(someOwner) }) - someOwner;
    const room = Math.floor((maxSharedBytes - base - 100 * shared) / 101);
    expect(sizeWith(ownerOf(room))).toEqual({ kind: 'fits' });
    const size = sizeWith(ownerOf(room + 1));
    expect(size.kind).toBe('shared');
    if (size.kind === 'fits') throw new Error('it fits');
    expect(describeOversize(size, 100).problem).toMatch(/all 100 tasks share .* more than the 16,000,000/);
  });

  test('is measured in bytes, not in characters', () => {
    expect(sizeWith({ owner: '\u{1f600}'.repeat(450_000) })).toMatchObject({ kind: 'plan' });
  });

  test('of the largest run fits, and no argument is large', () => {
    const tasks = Array.from({ length: 5_000 }, (_, at) => `lm-evaluation-harness.benchmark_${at}`);
    const largest = runPlan({ outputRoot: '/results', tasks });
    expect(sizeOfPlan(largest, bytesOf)).toEqual({ kind: 'fits' });
    const parts = runArguments(largest, { searchAttributes: true });
    expect(Math.max(...parts.map((part) => JSON.stringify(part).length))).toBeLessThan(65_536);
    expect(planIn(parts)).toEqual(largest);
  });
});

describe('metrics', () => {
  const metrics = (count: number, { length, stderr = null }: { length: number; stderr?: number | null }): Metric[] =>
    Array.from({ length: count }, (_, at) => {
      const metric = `${'m'.repeat(length - 8)}${String(at).padStart(5, '0')}`;
      const place = { kind: 'task', path: ['ab'], metric, score: metric } as const;
      return { name: `ab_${metric}`, value: 0.5, stderr, count: 100, ...place };
    });

  test('all are kept within the limits on number and bytes; beyond these, only the first ones', () => {
    const sizeOf = (payload: object): number => Buffer.byteLength(JSON.stringify(payload));
    for (const count of [maxEntries, maxEntries + 1]) {
      const fitted = fitMetrics(metrics(count, { length: 12 }));
      expect(Object.keys(fitted.metrics)).toHaveLength(maxEntries);
      expect(metricsOf(fitted)).toEqual(metrics(maxEntries, { length: 12 }));
    }
    expect(Object.keys(fitMetrics(metrics(maxEntries, { length: 10, stderr: 0.1 })).metrics)).toHaveLength(maxEntries);
    const { metrics: kept, metricDetails } = fitMetrics(metrics(maxEntries, { length: 190 }));
    expect(Object.keys(kept).length).toBeGreaterThan(25);
    expect(sizeOf(kept) + sizeOf(metricDetails)).toBeLessThanOrEqual(12_000);
  });

  test('a metric with a name of 200 characters is kept, one with a longer name is dropped', () => {
    expect(Object.keys(fitMetrics(metrics(1, { length: 200 })).metrics)).toHaveLength(1);
    expect(fitMetrics(metrics(1, { length: 201 }))).toEqual({ metrics: {}, metricDetails: [] });
  });

  test('a value is not kept without its standard error', () => {
    const fitted = fitMetrics(
      metrics(maxEntries, { length: 10, stderr: 0.1 }).map((one, at) => (at === 0 ? { ...one, stderr: null } : one)),
    );
    expect(Object.keys(fitted.metrics)).toHaveLength(maxEntries - 1);
    expect(
      metricsOf(fitted)
        .slice(1)
        .every(({ stderr }) => stderr === 0.1),
    ).toBe(true);
  });
});

test('the snapshot of the largest run fits into one payload with every task\u2019s outcome', () => {
  const tasks = Array.from({ length: 5_000 }, (_, at) => `benchmark-with-a-long-name-${at}`);
  const start = startingRun(runPlan({ outputRoot: '/results', tasks }), '2026-11-25T00:00:00.000Z');
  const run: RunSnapshot = {
    ...start,
    tasks: start.tasks.map((task, at) => ({
      ...task,
      phase: 'done' as const,
      outcome: at % 2 === 0 ? ('failed' as const) : ('succeeded' as const),
      endpointUrl: `https://${'u'.repeat(200)}.example/v1`,
      outputDir: `/${'d'.repeat(400)}`,
      error: { type: 'JobFailed', message: 'e'.repeat(2_000) },
      ...metricPayload(
        Array.from({ length: 25 }, (_, at): Metric => {
          const place = { kind: 'task', path: ['metric'], metric: String(at), score: String(at) } as const;
          return { name: `metric_${at}`, value: 0.5, stderr: null, count: 100, ...place };
        }),
      ),
      left: [{ kind: 'endpoint', name: 'n'.repeat(36), reason: 'r'.repeat(2_000) }],
      kept: [{ path: '/shared/x', reason: 'r'.repeat(2_000), command: 'evalsaga cleanup x' }],
    })),
  };
  const all = { ...run, left: run.tasks.flatMap(({ left }) => left), kept: run.tasks.flatMap(({ kept }) => kept) };
  const sent = fitRun(all);
  expect(jsonBytes(sent)).toBeLessThanOrEqual(maxSnapshotBytes);
  const fitted = wholeSnapshot(sent);
  expect(fitted.tasks.map(({ outcome }) => outcome)).toEqual(run.tasks.map(({ outcome }) => outcome));
  expect(fitted.left).toHaveLength(5_000);
});
