import { costAt, estimateCost, ratePerHour } from '../../contract/cost';
import type { RunPlan } from '../../contract/plan';
import type { RunSnapshot } from '../../contract/state';
import { harmlessLine } from '../../support/terminal-text';

/** What `--json` says of a run's cost. Sums in `currency`. */
export interface CostDocument {
  readonly currency: string;
  /** So far, from the first request to create until each endpoint and job was verified gone. */
  readonly spent: number;
  /** With what exists now. */
  readonly perHour: number;
  readonly limit: number;
}

/** `null` where the run has no budget. Pure; `nowMs` counts for what still exists. */
export function costDocument(
  { budget, tasks }: Pick<RunSnapshot, 'budget' | 'tasks'>,
  nowMs: number,
): CostDocument | null {
  if (!budget) return null;
  const { currency, limit } = budget;
  return {
    currency,
    limit,
    spent: rounded(costAt(tasks, budget, nowMs)),
    perHour: rounded(ratePerHour(tasks, budget)),
  };
}

/** `cost: 3.42 of 25 USD, 7 USD per hour now`; nothing without a budget. Pure. */
export function costLine(run: Pick<RunSnapshot, 'budget' | 'tasks'>, nowMs: number): string[] {
  const cost = costDocument(run, nowMs);
  if (!cost) return [];
  const currency = harmlessLine(cost.currency);
  const rate = cost.perHour > 0 ? `, ${cost.perHour} ${currency} per hour now` : '';
  return [`cost: ${cost.spent} of ${cost.limit} ${currency}${rate}`];
}

/** What a dry run says of the cost; `undefined` without a budget. Pure. */
export function costEstimate(plan: RunPlan): object | undefined {
  const { budget } = plan;
  if (!budget) return undefined;
  const { perHour, upperBound } = estimateCost(plan, budget);
  return {
    currency: budget.currency,
    limit: budget.limit,
    per_hour: rounded(perHour),
    upper_bound: rounded(upperBound),
    ...(upperBound > budget.limit ? { note: 'the run is cancelled, with teardown, should it reach the limit' } : {}),
  };
}

/** Cents, and for tiny sums four digits that tell something. */
const rounded = (sum: number): number => (sum >= 1 ? Math.round(sum * 100) / 100 : Number(sum.toPrecision(4)));
