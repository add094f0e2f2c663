/** The variants of a config with their tasks, and what all of them share. */
import type { PlatformRef, SharedEndpointPlan } from '../../contract/plan';
import type { LoadedConfig, VariantConfig } from '../loaded';
import type { ResolvedConfig } from '../schema/config';
import { planAuxiliaries, type PlannedAuxiliaries } from './plan-auxiliary';
import { jobVariables } from './plan-job';
import { ProblemReport } from './problem-report';
import { resolveTask } from './resolve-task';
import type { ResolvedTask } from './resolve-task';

/** Returns the variants; the whole config, if it has only one. */
export const variantsIn = ({ variants, resolved, root }: LoadedConfig): readonly VariantConfig[] =>
  variants ?? [
    {
      model: null,
      resolved,
      root,
      positions: [...resolved.evaluation.tasks.keys()],
      pathAsWritten: (path) => path,
    },
  ];

/** A variant whose tasks are known. */
export interface VariantPart {
  readonly loaded: LoadedConfig;
  readonly variant: VariantConfig;
  readonly tasks: readonly ResolvedTask[];
  readonly report: ProblemReport;
}

function variantPart({
  loaded: whole,
  variant,
  common,
}: {
  readonly loaded: LoadedConfig;
  readonly variant: VariantConfig;
  readonly common: ProblemReport;
}): VariantPart {
  const { resolved: config, root } = variant;
  const loaded = { ...whole, resolved: config, root };
  const report = new ProblemReport(root, variant.pathAsWritten, common);
  const tasks = config.evaluation.tasks.flatMap((task, index): ResolvedTask[] => {
    const resolved = resolveTask({ config: task, index, trustUnlisted: loaded.trust.unlistedTasks, report });
    return resolved === undefined ? [] : [resolved];
  });
  return { loaded, variant, tasks, report };
}

/** Resolves the tasks of each variant. */
export const variantParts = (loaded: LoadedConfig, common: ProblemReport): readonly VariantPart[] =>
  variantsIn(loaded).map((variant) => variantPart({ loaded, variant, common }));

/** Plans the auxiliary deployments for the tasks of all variants. */
export function auxiliariesOf(
  parts: readonly VariantPart[],
  {
    loaded,
    context,
    report,
  }: {
    readonly loaded: LoadedConfig;
    readonly context: { readonly invocation: string; readonly platform: PlatformRef };
    readonly report: ProblemReport;
  },
): PlannedAuxiliaries {
  const users = parts.flatMap(({ tasks, variant: { resolved: config }, report: own }) =>
    tasks.map((task) => ({ task, config, variables: jobVariables(config, task), report: own })),
  );
  const { invocation, platform } = context;
  const trustCommands = loaded.trust.commands;
  return planAuxiliaries({ config: loaded.resolved, users, trustCommands, invocation, platform, report });
}

/** Returns how many tasks may have endpoints: shared ones, which exist all the time, count as well. */
export function placesForTasks(
  { execution, deployment }: ResolvedConfig,
  { shared, hasOwn }: { readonly shared: readonly SharedEndpointPlan[]; readonly hasOwn: boolean },
  report: ProblemReport,
): number | null {
  const { max_parallel_endpoints: most } = execution;
  const taken = shared.filter(({ endpointName: name }) => name !== null).length;
  if (most === null || taken === 0 || deployment.type === 'none') return most;
  const needed = hasOwn ? taken + 1 : taken;
  if (most < needed)
    report.add(
      'execution.max_parallel_endpoints',
      `is ${most}, but ${taken} shared endpoints exist all the time${hasOwn ? ', and each task has its own besides' : ''}`,
      `set it to ${needed} or more`,
    );
  return hasOwn ? Math.max(1, most - taken) : null;
}
