import fc from 'fast-check';
import { costAt, costDocument, estimateCost, msUntilLimit, ratePerHour } from '../../../src/contract/cost';
import type { BudgetPlan } from '../../../src/contract/plan';
import type { Span, Usage } from '../../../src/contract/state';
import { costEstimate, costLine } from '../../../src/cli/render/cost';
import { runPlan } from '../../support/plans';
import { snapshotOf, taskOf } from '../../support/snapshots';
import { holds } from '../../support/fuzz';

const budget: BudgetPlan = { limit: 25, currency: 'USD', endpointPerHour: 3.5, jobPerHour: 0.5 };
const at = (minutes: number): number => Date.parse('2026-01-02T03:00:00Z') + minutes * 60_000;
const span = (from: number, until: number | null): Span => ({
  from: new Date(at(from)).toISOString(),
  until: until === null ? null : new Date(at(until)).toISOString(),
});
const used = (usage: Partial<Usage>): { usage: Usage } => ({ usage: { endpoint: null, job: null, ...usage } });

test('endpoints and jobs cost money from the create request until they are gone', () => {
  const tasks = [used({ endpoint: span(0, 60), job: span(30, 60) }), used({ endpoint: span(0, null) }), {}];
  expect(costAt(tasks, budget, at(120))).toBeCloseTo(3.5 + 0.25 + 7, 9);
  expect(ratePerHour(tasks, budget)).toBe(3.5);
});

test('the limit is reached when the rest has been spent at the current rate', () => {
  const tasks = [used({ endpoint: span(0, null) }), used({ endpoint: span(0, null) })];
  expect(msUntilLimit(tasks, { ...budget, limit: 7 }, at(30))).toBe(30 * 60_000);
  expect(msUntilLimit(tasks, { ...budget, limit: 7 }, at(61))).toBe(0);
  expect(msUntilLimit([used({ endpoint: span(0, 10) })], budget, at(30))).toBeNull();
});

test('the limit is reached after the computed time, and not a second earlier', () => {
  const minutes = fc.integer({ min: 0, max: 10_000 });
  const price = fc.integer({ min: 1, max: 100_000 }).map((cents) => cents / 100);
  holds(
    fc.property(fc.array(minutes, { minLength: 1, maxLength: 20 }), price, price, (begins, endpointPerHour, limit) => {
      const tasks = begins.map((from) => used({ endpoint: span(from, null) }));
      const plan = { ...budget, endpointPerHour, limit };
      const now = at(10_000);
      const left = msUntilLimit(tasks, plan, now);
      if (left === null) throw new Error('endpoints cost something');
      expect(costAt(tasks, plan, now + left)).toBeGreaterThanOrEqual(limit - 1e-9);
      if (left > 1_000) expect(costAt(tasks, plan, now + left - 1_000)).toBeLessThan(limit);
    }),
  );
});

test('the estimate assumes the longest allowed waits and job times, within the endpoint window and max_run_time', () => {
  const limits = { endpointReadySeconds: 1800, jobSeconds: 3600 };
  const plan = runPlan({ outputRoot: '/r', limits });
  expect(estimateCost(plan, budget)).toEqual({ perHour: 12, upperBound: 3 * (1.5 * 3.5 + 0.5) });
  expect(estimateCost({ ...plan, maxParallelEndpoints: 2 }, budget).perHour).toBe(8);
  const short = runPlan({ outputRoot: '/r', limits: { ...limits, runSeconds: 900 } });
  expect(estimateCost(short, budget).upperBound).toBe(3);
});

test('the cost is shown in the status line, JSON and dry run; without a budget it is not shown', () => {
  const task = taskOf({ usage: { endpoint: span(0, null), job: null } });
  const run = snapshotOf([task], { budget });
  expect(costLine(run, at(60))).toEqual(['cost: 3.5 of 25 USD, 3.5 USD per hour now']);
  expect(costDocument(run, at(60))).toEqual({ currency: 'USD', spent: 3.5, perHour: 3.5, limit: 25 });
  expect(costLine(snapshotOf([task]), at(60))).toEqual([]);
  expect(costDocument(snapshotOf([task]), at(60))).toBeNull();
  const plan = runPlan({ outputRoot: '/r', change: { budget: { ...budget, limit: 0.01 } } });
  expect(costEstimate(plan)).toMatchObject({ per_hour: 12, limit: 0.01, note: expect.stringContaining('torn down') });
  expect(costEstimate(runPlan({ outputRoot: '/r' }))).toBeUndefined();
});
