/** The parts of a plan that follow from the context and from `execution`. */
import { createHash } from 'node:crypto';
import path from 'node:path';
import type { PlatformRef, RunPlan } from '../../contract/plan';
import { runNameFrom } from '../../contract/run-name';
import { expandTilde } from '../../support/home-folder';
import type { LoadedConfig } from '../loaded';
import type { ResolvedConfig } from '../schema/config';

export interface PlanContext {
  readonly invocation: string;
  readonly platform: PlatformRef;
  readonly owner: string;
  /** Instead of `execution.run_name`. */
  readonly name?: string;
  /** Added to `execution.tags`. */
  readonly tags?: Readonly<Record<string, string>>;
  /** The command line, kept in the run's record. */
  readonly command: string;
  readonly cwd: string;
}

export function runFields(
  { resolved: config, yaml }: LoadedConfig,
  context: PlanContext,
): Omit<RunPlan, 'version' | 'model' | 'endpoint' | 'storage' | 'tasks'> {
  const { execution } = config;
  return {
    invocation: context.invocation,
    platform: context.platform,
    owner: context.owner,
    ...labelsOf(config, context),
    outputDir: path.resolve(context.cwd, expandTilde(execution.output_dir), context.invocation),
    startPolicy: execution.start_policy,
    ...(execution.start_jobs_early ? { startJobsEarly: true as const } : {}),
    ...(execution.release_endpoint === 'after_job' ? {} : { releaseEndpoint: execution.release_endpoint }),
    onTaskFailure: execution.on_task_failure,
    maxParallelEndpoints: execution.max_parallel_endpoints,
    keepStorage: execution.keep_storage,
    skipResults: execution.skip_results,
    ...(packsResults(config) ? { packsResults: true as const } : {}),
    limits: {
      endpointReadySeconds: execution.lepton_platform.deployment.endpoint_readiness_timeout,
      jobSeconds: execution.evaluation_tasks.timeout,
      teardownSeconds: execution.teardown_timeout,
      runSeconds: execution.max_run_time,
      resultBytes: execution.max_result_size,
      ...(execution.retries === 0 ? {} : { jobRetries: execution.retries }),
    },
    provenance: { configDigest: createHash('sha256').update(yaml).digest('hex'), command: context.command },
  };
}

/** Whether jobs pack their results into an archive. Where storage is kept, it would stay there beside what it holds. */
export const packsResults = ({ execution }: ResolvedConfig): boolean => !execution.keep_storage;

function labelsOf(config: ResolvedConfig, context: PlanContext): Pick<RunPlan, 'name' | 'tags'> {
  const { run_name: own, tags: given } = config.execution;
  const name = context.name ?? own ?? (config.name === null ? undefined : runNameFrom(config.name));
  const tags = { ...given, ...context.tags };
  return { ...(name === undefined ? {} : { name }), ...(Object.keys(tags).length === 0 ? {} : { tags }) };
}
