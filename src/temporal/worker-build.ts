import { InfrastructureError } from './infrastructure-error';
import type { Env } from './target';

/** A build of the worker, as Temporal's worker versioning tells builds apart. */
export interface WorkerBuild {
  readonly deploymentName: string;
  readonly buildId: string;
}

/** `EVALSAGA_DEPLOYMENT_NAME` and `EVALSAGA_BUILD_ID`; `undefined`: neither is set. Throws `InfrastructureError` for one without the other. */
export function buildOf(env: Env): WorkerBuild | undefined {
  const { EVALSAGA_DEPLOYMENT_NAME: deploymentName, EVALSAGA_BUILD_ID: buildId } = env;
  if (deploymentName && buildId) return { deploymentName, buildId };
  if (!deploymentName && !buildId) return undefined;
  // Unversioned beside versioned workers, it would get runs that it must not touch, or none.
  throw new InfrastructureError(
    `Worker versioning needs both EVALSAGA_DEPLOYMENT_NAME and EVALSAGA_BUILD_ID; only ${deploymentName ? 'the first' : 'the second'} is set.`,
  );
}
