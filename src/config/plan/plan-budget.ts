/** Plans the run's budget: what its endpoints and jobs cost per hour. */
import type { BudgetPlan } from '../../contract/plan';
import type { ResolvedConfig } from '../schema/config';
import type { ProblemReport } from './problem-report';

const path = 'execution.budget.prices';

/** Returns `null` if no budget is set. Reports a shape without a price, which would make the limit meaningless. */
export function budgetPlan({ execution, deployment }: ResolvedConfig, report: ProblemReport): BudgetPlan | null {
  const { budget } = execution;
  if (budget === null) return null;
  const { limit, currency, prices } = budget;
  const priceOf = (shape: string, must: boolean): number => priceIn(prices, shape, must ? report : undefined);
  const jobShape = execution.evaluation_tasks.resource_shape;
  const jobPerHour = priceOf(jobShape, deployment.type === 'none' || !/^cpu(?:\.|$)/i.test(jobShape));
  if (deployment.type === 'none') return { limit, currency, endpointPerHour: 0, jobPerHour };
  const { resource_shape: shape, max_replicas: replicas } = deployment.lepton_config;
  return { limit, currency, endpointPerHour: priceOf(shape, true) * replicas, jobPerHour };
}

/** Returns what an endpoint of this shape costs per hour with all its replicas; `undefined` without a budget. */
export function endpointPrice(
  { execution: { budget } }: ResolvedConfig,
  { shape, replicas }: { readonly shape: string; readonly replicas: number },
  report: ProblemReport,
): number | undefined {
  return budget === null ? undefined : priceIn(budget.prices, shape, report) * replicas;
}

/** `report`: where a missing price is reported; absent: it counts as 0. */
function priceIn(prices: Readonly<Record<string, number>>, shape: string, report: ProblemReport | undefined): number {
  const price = Object.hasOwn(prices, shape) ? prices[shape] : undefined;
  if (price === undefined)
    report?.addOnce(
      path,
      `has no price for the shape ${shape}, which this run uses`,
      `add its price per hour from your contract: prices: {${shape}: 3.5}`,
    );
  return price ?? 0;
}
