import type { HomePaths } from '../../../home/paths';
import type { Runtime, RuntimeHost } from '../../runtime';
import { ProcessDeployments } from './deployments';
import { planJob } from './job-plan';
import { planServer } from './servers';
import { ProcessJobs } from './jobs';
import { describeMechanism, findMechanism } from './limits/mechanism';
import { ProcessUnits } from './units';

/**
 * Creates the runtime that uses processes of this machine instead of containers. A deployment runs its own server if that
 * is on PATH, else the model server of this package with the model it names; a job runs its container's command with the
 * evaluation harness on PATH. Both run in their own process groups, outlive this process and are found again by the next.
 */
export async function createProcessRuntime(host: RuntimeHost, { home }: { home: HomePaths }): Promise<Runtime> {
  const mechanism = await findMechanism();
  const units = new ProcessUnits(mechanism);
  const deployments = new ProcessDeployments({ host, units, plan: (options) => planServer({ ...options, home }) });
  const jobs = new ProcessJobs({
    host,
    units,
    plan: (options) => planJob({ ...options, home, served: deployments.servedWeights() }),
  });
  return runtimeOf({ kind: 'process', limits: describeMechanism(mechanism), deployments, jobs });
}

/** Creates a runtime whose deployments and jobs are units. */
export function runtimeOf(parts: {
  kind: 'process' | 'docker';
  limits: string;
  deployments: ProcessDeployments;
  jobs: ProcessJobs;
}): Runtime {
  const { kind, limits, deployments, jobs } = parts;
  return {
    kind,
    limits: () => limits,
    async start(existing) {
      await Promise.all([
        ...existing.deployments.map((deployment) => deployments.adopt(deployment)),
        ...existing.jobs.map((job) => jobs.adopt(job)),
      ]);
    },
    async detach() {
      await Promise.all([deployments.detach(), jobs.detach()]);
    },
    createDeployment: (deployment) => deployments.create(deployment),
    observeDeployment: (name) => deployments.observe(name),
    deleteDeployment: (name) => deployments.delete(name),
    scaleDeployment: (name, minReplicas) => deployments.scale(name, minReplicas),
    restartDeployment: (name) => deployments.restart(name),
    deploymentLog: (name, options) => deployments.log(name, options),
    deploymentLogSegments: (name) => deployments.logSegments(name),
    lastRequestAt: (name) => deployments.lastRequestAt(name),
    createJob: (job) => jobs.create(job),
    observeJob: (id) => jobs.observe(id),
    stopJob: (id) => jobs.stop(id),
    deleteJob: (id) => jobs.delete(id),
    jobLog: (id, options) => jobs.log(id, options),
    jobLogSegments: (id) => jobs.logSegments(id),
  };
}
