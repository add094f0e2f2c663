import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { homePaths, type HomePaths } from '../../src/home/paths';
import { saveAccess } from '../../src/lepton/access-store';
import { createLeptonClient } from '../../src/lepton/client';
import type { LeptonClient, PlatformAccess } from '../../src/lepton/types';
import type { Course, Setup } from './courses';
import { openGateway, type Gateway } from './gateway';
import { lagIn } from './lag';
import { Ledger } from './ledger';
import { patient } from './patient';
import type { Names } from './points';
import type { Stand, StandWorker } from './stand';
import { openTemporalGateway, type TemporalGateway } from './temporal-gateway';
import type { World } from './worlds';

/** What one case runs in: borders that are watched, on a stand that others share. */
export interface Surroundings {
  readonly stand: Stand;
  readonly names: Names;
  readonly ledger: Ledger;
  readonly gateway: Gateway;
  /** Of the side that is disturbed on its way to Temporal, if one is. */
  readonly temporal: TemporalGateway | undefined;
  readonly worker: StandWorker | undefined;
  readonly taskQueue: string;
  /** For what only the launching machine can do, where that is another queue. */
  readonly homeQueue: string | undefined;
  /** Of whoever starts the run. A home per case, so that a sweep sees this run only; the worker has another, as on a machine of its own. */
  readonly launch: HomePaths;
  /** As the run reaches the platform. */
  readonly access: PlatformAccess;
  /** Straight to the platform, with nothing in between. */
  readonly direct: LeptonClient;
  /** Request URL of an endpoint of the user's own, in the course that has one. */
  readonly ownEndpoint: { readonly name: string; readonly url: string } | undefined;
  close(): Promise<void>;
}

export async function surround(
  stand: Stand,
  { setup, course, world }: { setup: Setup; course: Course; world: World },
): Promise<Surroundings> {
  const id = randomBytes(8).toString('hex');
  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const closer of closers.reverse()) await closer();
  };
  try {
    const platform = await stand.platform();
    closers.push(() => platform.release());
    // A command chooses the id by itself; the gateways learn it.
    const names: Names = { invocation: setup === 'command' ? undefined : id };
    const ledger = new Ledger();
    const lag = lagIn(world);
    const gateway = await openGateway({ platform: platform.access.url, names, ledger, ...(lag ? { lag } : {}) });
    closers.push(() => gateway.close());
    const access = { ...platform.access, url: gateway.url };
    const direct = patient(createLeptonClient(platform.access));
    await saveAccess(stand.home, access);
    const worker = setup === 'worker' ? await stand.worker({ ledger, names }) : undefined;
    if (worker) closers.push(() => worker.close());
    const command =
      setup === 'command'
        ? await openTemporalGateway({ target: stand.address, side: 'client', attended: { ledger, names } })
        : undefined;
    if (command) closers.push(() => command.close());
    // What needs the run's own machine comes back to it.
    const homeQueue = world === 'second worker' ? stand.taskQueue : undefined;
    const taskQueue = worker?.taskQueue ?? (world === 'second worker' ? await stand.mixedQueue() : stand.taskQueue);
    const name = `mine-${id.slice(8)}`;
    const ownEndpoint = course.existingEndpoint
      ? { name, url: `${await bringUp(patient(createLeptonClient(access)), name)}/v1/completions` }
      : undefined;
    if (ownEndpoint) closers.push(() => direct.deleteDeployment(name).then(() => undefined));
    ledger.restart();
    const launch = homePaths({ EVALSAGA_HOME: path.join(stand.folder, `launch-${id}`) });
    const temporal = worker?.temporal ?? command;
    return {
      stand,
      names,
      ledger,
      gateway,
      temporal,
      worker,
      taskQueue,
      homeQueue,
      launch,
      access,
      direct,
      ownEndpoint,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** An endpoint that no run made; resolves to its base URL when it is Ready. */
async function bringUp(direct: LeptonClient, name: string): Promise<string> {
  const spec = {
    container: {
      image: 'vllm/vllm-openai:latest',
      command: ['vllm', 'serve', 'test/model'],
      ports: [{ container_port: 8000 }],
    },
    resource_requirement: { resource_shape: 'gpu.1xh200', min_replicas: 1, max_replicas: 1 },
    envs: [{ name: 'SERVED_MODEL_NAME', value: 'test/model' }],
  };
  await direct.createDeployment({ name, spec });
  for (;;) {
    const { status } = (await direct.getDeployment(name)) ?? {};
    if (status?.state === 'Ready' && status.endpoint?.external_endpoint) return status.endpoint.external_endpoint;
    await sleep(100);
  }
}
