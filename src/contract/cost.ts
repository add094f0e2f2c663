/** What a run costs, from the spans in which its endpoints and jobs existed. Pure; times in milliseconds since the epoch. */
import type { BudgetPlan, RunPlan } from './plan';
import type { RunSnapshot, Span, TaskSnapshot } from './state';

type Used = Pick<TaskSnapshot, 'usage'>;

const hourMs = 3_600_000;

/** The running total at `nowMs`. */
export function costAt(tasks: readonly Used[], budget: BudgetPlan, nowMs: number): number {
  return tasks.reduce(
    (sum, { usage }) =>
      sum + hoursOf(usage?.endpoint, nowMs) * budget.endpointPerHour + hoursOf(usage?.job, nowMs) * budget.jobPerHour,
    0,
  );
}

/** What an hour costs with what exists at this moment. */
export function ratePerHour(tasks: readonly Used[], budget: BudgetPlan): number {
  const open = (span: Span | null | undefined): boolean => span?.until === null;
  return tasks.reduce(
    (sum, { usage }) =>
      sum + (open(usage?.endpoint) ? budget.endpointPerHour : 0) + (open(usage?.job) ? budget.jobPerHour : 0),
    0,
  );
}

/** Milliseconds until the limit is reached if nothing changes; 0: it is reached; `null`: never. */
export function msUntilLimit(tasks: readonly Used[], budget: BudgetPlan, nowMs: number): number | null {
  const left = budget.limit - costAt(tasks, budget, nowMs);
  if (left <= 0) return 0;
  const rate = ratePerHour(tasks, budget);
  return rate === 0 ? null : Math.ceil((left / rate) * hourMs);
}

export interface CostEstimate {
  /** Every endpoint waits and every job runs as long as they may; teardown, minutes at most as a rule, is not counted. */
  readonly upperBound: number;
  /** With all that may exist at once. */
  readonly perHour: number;
}

export function estimateCost(plan: RunPlan, budget: BudgetPlan): CostEstimate {
  const { endpointReadySeconds, jobSeconds, runSeconds } = plan.limits;
  const endpointSeconds = endpointReadySeconds + jobSeconds;
  const atOnce = Math.min(plan.maxParallelEndpoints ?? plan.tasks.length, plan.tasks.length);
  const perHour = atOnce * (budget.endpointPerHour + budget.jobPerHour);
  const perTask = (endpointSeconds * budget.endpointPerHour + jobSeconds * budget.jobPerHour) / 3600;
  const byTasks = plan.tasks.length * perTask;
  return { perHour, upperBound: runSeconds === null ? byTasks : Math.min(byTasks, (perHour * runSeconds) / 3600) };
}

function hoursOf(span: Span | null | undefined, nowMs: number): number {
  if (!span) return 0;
  const until = span.until === null ? nowMs : Date.parse(span.until);
  return Math.max(0, until - Date.parse(span.from)) / hourMs;
}

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

/** Cents, and for tiny sums four digits that tell something. */
export const rounded = (sum: number): number => (sum >= 1 ? Math.round(sum * 100) / 100 : Number(sum.toPrecision(4)));
