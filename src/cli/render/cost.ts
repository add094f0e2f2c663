import { costDocument, estimateCost, rounded } from '../../contract/cost';
import type { RunPlan } from '../../contract/plan';
import type { RunSnapshot } from '../../contract/state';
import { harmlessLine } from '../../support/terminal-text';

/** Returns `cost: 3.42 of 25 USD, 7 USD per hour now`; no line without a budget. Pure. */
export function costLine(run: Pick<RunSnapshot, 'budget' | 'tasks'>, nowMs: number): string[] {
  const cost = costDocument(run, nowMs);
  if (!cost) return [];
  const currency = harmlessLine(cost.currency);
  const rate = cost.perHour > 0 ? `, ${cost.perHour} ${currency} per hour now` : '';
  return [`cost: ${cost.spent} of ${cost.limit} ${currency}${rate}`];
}

/** Returns the cost estimate of a dry run; `undefined` without a budget. Pure. */
export function costEstimate(plan: RunPlan): object | undefined {
  const { budget } = plan;
  if (!budget) return undefined;
  const { perHour, upperBound } = estimateCost(plan, budget);
  return {
    currency: budget.currency,
    limit: budget.limit,
    per_hour: rounded(perHour),
    upper_bound: rounded(upperBound),
    ...(upperBound > budget.limit ? { note: 'the run is torn down if it reaches the limit' } : {}),
  };
}
