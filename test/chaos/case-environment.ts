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
import { retrying } from './retrying-client';
import type { Names } from './points';
import type { TestBed, TestBedWorker } from './test-bed';
import { openTemporalGateway, type TemporalGateway } from './temporal-gateway';
import type { World } from './worlds';

/** The environment of one case: gateways at its borders, on a test bed that other cases share. */
export interface CaseEnvironment {
  readonly testBed: TestBed;
  readonly world: World;
  readonly names: Names;
  readonly ledger: Ledger;
  readonly gateway: Gateway;
  /** Gateway of the side whose connection to Temporal is disturbed, if any. */
  readonly temporal: TemporalGateway | undefined;
  readonly worker: TestBedWorker | undefined;
  readonly taskQueue: string;
  /** Queue for what only the launching machine can do, if it is another one. */
  readonly homeQueue: string | undefined;
  /**
   * Home that starts the run. Each case has its own, so that a sweep sees only this run; the worker has another home.
   */
  readonly launch: HomePaths;
  /** The run's access to the platform, through the gateway. */
  readonly access: PlatformAccess;
  /** Direct access to the platform. */
  readonly direct: LeptonClient;
  /** The user's own endpoint with its request URL, in the course that has one. */
  readonly ownEndpoint: { readonly name: string; readonly url: string } | undefined;
  close(): Promise<void>;
}

export async function openEnvironment(
  testBed: TestBed,
  { setup, course, world }: { setup: Setup; course: Course; world: World },
): Promise<CaseEnvironment> {
  const id = randomBytes(8).toString('hex');
  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const closer of closers.reverse()) await closer();
  };
  try {
    const platform = await testBed.platform();
    closers.push(() => platform.release());
    // A command chooses the id itself; the gateways read it from its requests.
    const names: Names = { invocation: setup === 'command' ? undefined : id };
    const ledger = new Ledger();
    const lag = lagIn(world);
    const gateway = await openGateway({ platform: platform.access.url, names, ledger, ...(lag ? { lag } : {}) });
    closers.push(() => gateway.close());
    const access = { ...platform.access, url: gateway.url };
    const direct = retrying(createLeptonClient(platform.access));
    await saveAccess(testBed.home, access);
    const worker = setup === 'worker' ? await testBed.worker({ ledger, names }) : undefined;
    if (worker) closers.push(() => worker.close());
    const command =
      setup === 'command'
        ? await openTemporalGateway({ target: testBed.address, side: 'client', watched: { ledger, names } })
        : undefined;
    if (command) closers.push(() => command.close());
    // Activities that need the run's own machine use this queue.
    const homeQueue = world === 'second worker' ? testBed.taskQueue : undefined;
    const taskQueue = worker?.taskQueue ?? (await queueIn(world, testBed));
    const name = `mine-${id.slice(8)}`;
    const ownEndpoint = course.existingEndpoint
      ? { name, url: `${await createOwnEndpoint(retrying(createLeptonClient(access)), name)}/v1/completions` }
      : undefined;
    if (ownEndpoint) closers.push(() => direct.deleteDeployment(name).then(() => undefined));
    ledger.restart();
    const launch = homePaths({ EVALSAGA_HOME: path.join(testBed.folder, `launch-${id}`) });
    const temporal = worker?.temporal ?? command;
    return {
      testBed,
      world,
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

async function queueIn(world: World, testBed: TestBed): Promise<string> {
  if (world === 'second worker') return testBed.mixedQueue();
  return world === 'endpoint quota' ? testBed.limitedQueue() : testBed.taskQueue;
}

/** Creates an endpoint outside any run; resolves to its base URL when it is Ready. */
async function createOwnEndpoint(direct: LeptonClient, name: string): Promise<string> {
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
