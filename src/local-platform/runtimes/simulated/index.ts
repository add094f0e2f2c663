import type { Server } from 'node:http';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { readJsonFile, writePrivateJson } from '../../../support/atomic-file';
import { closeServer, listenOnLoopback, serverFor } from '../../../support/listen';
import type { Runtime, RuntimeHost } from '../../runtime';
import { SimulatedDeployments } from './deployments';
import { causeSchema } from './endings';
import { SimulatedJobs } from './jobs';
import type { Plan } from './plan';
import { createServingApp, servingPath } from './serving';

/**
 * Creates a runtime without processes: states follow the plan by the time since creation, endpoints answer with
 * generated text, and completed jobs leave well-formed results.
 */
export function createSimulatedRuntime(host: RuntimeHost, { plan }: { plan: Plan }): Runtime {
  let port: number | undefined;
  const deployments = new SimulatedDeployments({
    folder: path.join(host.stateFolder, 'deployments'),
    plan,
    urlOf: (name) => (port === undefined ? undefined : `http://127.0.0.1:${port}${servingPath}/${name}`),
  });
  const jobs = new SimulatedJobs({ folder: path.join(host.stateFolder, 'jobs'), plan, host });
  const server = serverFor(createServingApp((name) => deployments.receiveRequest(name), host));
  return {
    kind: 'simulated',
    limits: () => undefined,
    async start(existing) {
      port = await listenOnSamePort(server, host.stateFolder);
      for (const deployment of existing.deployments) deployments.create(deployment);
      for (const job of existing.jobs) jobs.create(job);
    },
    async detach() {
      await jobs.detach();
      if (server.listening) await closeServer(server);
    },
    createDeployment: (deployment) => deployments.create(deployment),
    observeDeployment: (name) => deployments.observe(name),
    deleteDeployment: (name) => deployments.delete(name),
    scaleDeployment: (name, minReplicas) => deployments.scale(name, minReplicas),
    restartDeployment: (name) => deployments.restart(name),
    deploymentLog: (name, options) => deployments.log(name, options),
    deploymentLogSegments: (name) => Promise.resolve(deployments.logSegments(name)),
    lastRequestAt: (name) => Promise.resolve(deployments.lastRequestAt(name)),
    createJob: (job) => jobs.create(job),
    observeJob: (id) => jobs.observe(id),
    endJobs: (name, by) => jobs.end(name, causeSchema.parse(by)),
    stopJob: (id) => Promise.resolve(jobs.stop(id)),
    deleteJob: (id) => jobs.delete(id),
    jobLog: (id, options) => jobs.log(id, options),
    jobLogSegments: (id) => Promise.resolve(jobs.logSegments(id)),
  };
}

/** Listens on the same port as before a restart, so that endpoint URLs stay valid, unless the port is taken. */
async function listenOnSamePort(server: Server, folder: string): Promise<number> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const file = path.join(folder, 'serving.json');
  const before = z.object({ port: z.number() }).safeParse(await readJsonFile(file).catch(() => undefined));
  const port = await listenOnLoopback(server, before.success ? [before.data.port, 0] : [0]);
  await writePrivateJson(file, { port });
  return port;
}
