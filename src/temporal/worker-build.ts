import { InfrastructureError } from './infrastructure-error';
import type { Env } from './target';

/** A build of the worker in Temporal's worker versioning. */
export interface WorkerBuild {
  readonly deploymentName: string;
  readonly buildId: string;
}

/** Reads `EVALSAGA_DEPLOYMENT_NAME` and `EVALSAGA_BUILD_ID`; `undefined` if neither is set. Throws `InfrastructureError` if only one is. */
export function buildOf(env: Env): WorkerBuild | undefined {
  const { EVALSAGA_DEPLOYMENT_NAME: deploymentName, EVALSAGA_BUILD_ID: buildId } = env;
  if (deploymentName && buildId) return { deploymentName, buildId };
  if (!deploymentName && !buildId) return undefined;
  // An unversioned worker beside versioned ones would get runs of other builds, or none.
  throw new InfrastructureError(
    `Worker versioning needs both EVALSAGA_DEPLOYMENT_NAME and EVALSAGA_BUILD_ID; only ${deploymentName ? 'the first' : 'the second'} is set.`,
  );
}
