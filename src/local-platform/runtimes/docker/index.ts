import type { Runtime, RuntimeHost } from '../../runtime';
import { ProcessDeployments } from '../process/deployments';
import { runtimeOf } from '../process/index';
import { ProcessJobs } from '../process/jobs';
import { inspectDaemon, docker, removeContainer } from './client';
import { planDockerJob, planDockerServer } from './plan';
import { LABELS } from './run-arguments';
import { DockerUnits } from './units';

/**
 * Creates the runtime that runs images as containers of this machine's docker. Throws if no daemon answers. Containers
 * outlive this process and are found again after a restart; those of resources that no longer exist are removed then.
 */
export async function createDockerRuntime(host: RuntimeHost): Promise<Runtime> {
  const daemon = await inspectDaemon();
  const units = new DockerUnits();
  const runtime = runtimeOf({
    kind: 'docker',
    limits: `docker ${daemon.version}${daemon.hasGpus ? ', with NVIDIA GPUs' : ''}`,
    deployments: new ProcessDeployments({ host, units, plan: planDockerServer(daemon) }),
    jobs: new ProcessJobs({ host, units, plan: planDockerJob(daemon) }),
  });
  return {
    ...runtime,
    async start(existing) {
      const known = [...existing.deployments.map(({ name }) => name), ...existing.jobs.map(({ id }) => id)];
      await removeOrphans(host, known);
      await runtime.start(existing);
    },
  };
}

async function removeOrphans(host: RuntimeHost, known: readonly string[]): Promise<void> {
  const format = `{{.Names}}\t{{.Label "${LABELS.resource}"}}`;
  const filter = ['--filter', `label=${LABELS.state}=${host.stateFolder}`];
  const listed = await docker(['ps', '--all', ...filter, '--format', format]);
  if (listed.failed) throw new Error(`docker can't list its containers: ${listed.error}`);
  for (const line of listed.stdout.split('\n').filter(Boolean)) {
    const [name = '', resource = ''] = line.split('\t');
    if (!known.includes(resource)) await removeContainer(name);
  }
}
