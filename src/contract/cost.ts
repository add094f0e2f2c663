/** Cost of a run, from the spans during which its endpoints and jobs existed. Pure; times in milliseconds since the epoch. */
import type { BudgetPlan, RunPlan } from './plan';
import { attemptsAllowed } from './job-attempts';
import { partsOf, type RunSnapshot, type Span, type TaskSnapshot, type Usage } from './state';

type Used = Pick<TaskSnapshot, 'usage' | 'earlierUsage' | 'endpointPerHour'>;

/** Returns everything of a task that costs or has cost something, the earliest first. */
export const usagesOf = ({ usage, earlierUsage = [] }: Used): readonly Usage[] => [
  ...earlierUsage,
  ...(usage ? [usage] : []),
];

const pricesOf = ({ endpointPerHour }: Used, budget: BudgetPlan) => ({
  endpointPerHour: endpointPerHour ?? budget.endpointPerHour,
  jobPerHour: budget.jobPerHour,
});

const hourMs = 3_600_000;

/** Returns the total cost at `nowMs`. */
export function costAt(tasks: readonly Used[], budget: BudgetPlan, nowMs: number): number {
  return tasks
    .flatMap((task) => usagesOf(task).map((usage) => ({ ...usage, ...pricesOf(task, budget) })))
    .reduce(
      (sum, { endpoint, job, endpointPerHour, jobPerHour }) =>
        sum + hoursOf(endpoint, nowMs) * endpointPerHour + hoursOf(job, nowMs) * jobPerHour,
      0,
    );
}

/** Returns the cost per hour of the resources that exist now. */
export function ratePerHour(tasks: readonly Used[], budget: BudgetPlan): number {
  const open = (span: Span | null | undefined): boolean => span?.until === null;
  return tasks.reduce(
    (sum, { usage, endpointPerHour = budget.endpointPerHour }) =>
      sum + (open(usage?.endpoint) ? endpointPerHour : 0) + (open(usage?.job) ? budget.jobPerHour : 0),
    0,
  );
}

/** Returns the milliseconds until the limit is reached if nothing changes. 0: it has been reached; `null`: never. */
export function msUntilLimit(tasks: readonly Used[], budget: BudgetPlan, nowMs: number): number | null {
  const left = budget.limit - costAt(tasks, budget, nowMs);
  if (left <= 0) return 0;
  const rate = ratePerHour(tasks, budget);
  return rate === 0 ? null : Math.ceil((left / rate) * hourMs);
}

export interface CostEstimate {
  /** If every endpoint waits and every job runs for its time limit. Teardown, usually minutes, is not counted. */
  readonly upperBound: number;
  /** While as many endpoints and jobs exist as may at the same time. */
  readonly perHour: number;
}

export function estimateCost(plan: RunPlan, budget: BudgetPlan): CostEstimate {
  const { endpointReadySeconds, runSeconds } = plan.limits;
  const jobSeconds = plan.limits.jobSeconds * attemptsAllowed(plan.limits);
  const endpointSeconds = endpointReadySeconds + jobSeconds;
  const atOnce = Math.min(plan.maxParallelEndpoints ?? plan.tasks.length, plan.tasks.length);
  const prices = plan.tasks.map(({ endpointPerHour = budget.endpointPerHour }) => endpointPerHour);
  const dearest = prices.toSorted((a, b) => b - a).slice(0, atOnce);
  const shared = sumOf((plan.sharedEndpoints ?? []).map(({ endpointPerHour = 0 }) => endpointPerHour));
  const perHour = sumOf(dearest) + atOnce * budget.jobPerHour + shared;
  const waves = Math.ceil(plan.tasks.length / Math.max(1, atOnce));
  const byTasks =
    (endpointSeconds * sumOf(prices) +
      plan.tasks.length * jobSeconds * budget.jobPerHour +
      shared * waves * endpointSeconds) /
    3600;
  return { perHour, upperBound: runSeconds === null ? byTasks : Math.min(byTasks, (perHour * runSeconds) / 3600) };
}

const sumOf = (numbers: readonly number[]): number => numbers.reduce((sum, number) => sum + number, 0);

function hoursOf(span: Span | null | undefined, nowMs: number): number {
  if (!span) return 0;
  const until = span.until === null ? nowMs : Date.parse(span.until);
  return Math.max(0, until - Date.parse(span.from)) / hourMs;
}

/** Cost of a run in `--json`. Sums in `currency`. */
export interface CostDocument {
  readonly currency: string;
  /** So far, from the first request to create until each endpoint and job was verified gone. */
  readonly spent: number;
  /** Of the resources that exist now. */
  readonly perHour: number;
  readonly limit: number;
}

/** Returns `null` if the run has no budget. Pure; resources that still exist are counted until `nowMs`. */
export function costDocument(
  run: Pick<RunSnapshot, 'budget' | 'tasks' | 'shared'>,
  nowMs: number,
): CostDocument | null {
  const { budget } = run;
  if (!budget) return null;
  const { currency, limit } = budget;
  const parts = partsOf(run);
  return {
    currency,
    limit,
    spent: rounded(costAt(parts, budget, nowMs)),
    perHour: rounded(ratePerHour(parts, budget)),
  };
}

/** Rounds to cents; sums below 1 to four significant digits. */
export const rounded = (sum: number): number => (sum >= 1 ? Math.round(sum * 100) / 100 : Number(sum.toPrecision(4)));
