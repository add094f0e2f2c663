import { InfrastructureError } from './infrastructure-error';
import type { Env } from './target';

/** A build of the worker in Temporal's worker versioning. */
export interface WorkerBuild {
  readonly deploymentName: string;
  readonly buildId: string;
}

const ownNames = ['EVALSAGA_DEPLOYMENT_NAME', 'EVALSAGA_BUILD_ID'] as const;
const controllerNames = ['TEMPORAL_DEPLOYMENT_NAME', 'TEMPORAL_WORKER_BUILD_ID'] as const;

/**
 * Reads `EVALSAGA_DEPLOYMENT_NAME` and `EVALSAGA_BUILD_ID`, else what Temporal's worker controller sets: `TEMPORAL_DEPLOYMENT_NAME` and
 * `TEMPORAL_WORKER_BUILD_ID`; `undefined` if none is set. Throws `InfrastructureError` if only one of a pair is.
 */
export function buildOf(env: Env): WorkerBuild | undefined {
  const isOwn = Boolean(env['EVALSAGA_DEPLOYMENT_NAME']) || Boolean(env['EVALSAGA_BUILD_ID']);
  const [nameOf, idOf] = isOwn ? ownNames : controllerNames;
  const [deploymentName, buildId] = [env[nameOf], env[idOf]];
  if (deploymentName && buildId) return { deploymentName, buildId };
  if (!deploymentName && !buildId) return undefined;
  // An unversioned worker beside versioned ones would get runs of other builds, or none.
  throw new InfrastructureError(
    `Worker versioning needs both ${nameOf} and ${idOf}; only ${deploymentName ? 'the first' : 'the second'} is set.`,
  );
}
