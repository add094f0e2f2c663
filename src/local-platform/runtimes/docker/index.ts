import type { Runtime, RuntimeHost } from '../../runtime';
import { ProcessDeployments } from '../process/deployments';
import { runtimeOf } from '../process/index';
import { ProcessJobs } from '../process/jobs';
import { daemonFacts, docker, removeContainer } from './client';
import { planDockerJob, planDockerServer } from './plan';
import { LABELS } from './run-arguments';
import { DockerUnits } from './units';

/**
 * The runtime that runs the very images, as containers of this machine's docker. Throws when no daemon answers. Containers
 * outlive this process and are found again by it; those of resources that are no more are removed when it starts.
 */
export async function createDockerRuntime(host: RuntimeHost): Promise<Runtime> {
  const daemon = await daemonFacts();
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
      await removeStrangers(host, known);
      await runtime.start(existing);
    },
  };
}

async function removeStrangers(host: RuntimeHost, known: readonly string[]): Promise<void> {
  const format = `{{.Names}}\t{{.Label "${LABELS.resource}"}}`;
  const ours = ['--filter', `label=${LABELS.state}=${host.stateFolder}`];
  const listed = await docker(['ps', '--all', ...ours, '--format', format]);
  if (listed.failed) throw new Error(`docker can't list its containers: ${listed.complaint}`);
  for (const line of listed.stdout.split('\n').filter(Boolean)) {
    const [name = '', resource = ''] = line.split('\t');
    if (!known.includes(resource)) await removeContainer(name);
  }
}
