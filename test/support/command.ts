import type { Client } from '@temporalio/client';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { stringify } from 'yaml';
import { homePaths, type HomePaths } from '../../src/home/paths';
import { freePortForLater } from '../../src/local-platform/runtimes/process/ports';
import { readRecord, writeRecord, type ServiceName } from '../../src/stack/record';
import { stopStack } from '../../src/stack/stop';
import { connectClient } from '../../src/temporal/connect';
import { findServerBinary } from '../../src/stack/server-binary';
import { freshFolder, testCache } from './folders';
import { bareEnvironment, startProgram, type Finished, type Running } from './program';
import { startSimulated, type SimulatedPlan, type SimulatedPlatform } from './simulated';

export { program, type Finished, type Running } from './program';

export interface TestHome {
  readonly home: HomePaths;
  readonly folder: string;
  /** The environment of its commands. */
  readonly env: Record<string, string>;
  run(args: readonly string[], env?: Record<string, string>): Promise<Finished>;
  start(args: readonly string[], env?: Record<string, string>): Running;
  pidOf(name: ServiceName): Promise<number>;
  /** Stops its background processes even if runs are open, and removes the folder. */
  dispose(): Promise<void>;
}

/** Creates a fresh home, without credentials and Temporal settings of this process. */
export async function testHome(label: string): Promise<TestHome> {
  const folder = await freshFolder(label);
  const binary = await findServerBinary({ home: homePaths({ EVALSAGA_HOME: testCache }), env: process.env });
  const home = homePaths({ EVALSAGA_HOME: path.join(folder.path, 'home') });
  const env = {
    ...bareEnvironment(),
    EVALSAGA_HOME: home.root,
    TEMPORAL_CLI_PATH: binary,
    HOME: folder.path,
    // Far less than the default: a permanent refusal would otherwise delay a test by minutes.
    EVALSAGA_REFUSAL_PATIENCE: '5',
  };
  const start = (args: readonly string[], extra: Record<string, string> = {}): Running =>
    startProgram(args, { cwd: folder.path, env: { ...env, ...extra } });
  return {
    home,
    folder: folder.path,
    env,
    start,
    run: (args, extra) => start(args, extra).finished,
    pidOf: async (name) => (await readRecord(home, name))?.pid ?? NaN,
    dispose: async () => {
      await stopStack({ home });
      await folder.dispose();
    },
  };
}

export interface LeptonStandIn extends SimulatedPlatform {
  /** Its `LEPTON_WORKSPACE_*` variables. */
  readonly env: Record<string, string>;
}

/** Starts a simulated platform that commands use as a Lepton workspace. */
export async function simulatedLepton(folder: string, plan: SimulatedPlan): Promise<LeptonStandIn> {
  const root = path.join(folder, `lepton-${Math.random().toString(36).slice(2)}`);
  await mkdir(root, { recursive: true });
  const platform = await startSimulated(homePaths({ EVALSAGA_HOME: root }), plan);
  const env = {
    LEPTON_WORKSPACE_ID: platform.workspace,
    LEPTON_WORKSPACE_TOKEN: platform.token,
    LEPTON_WORKSPACE_URL: platform.url,
  };
  return { ...platform, env };
}

/** A home with a config of three tasks, and simulated workspaces that are closed with it. */
export interface CommandBench extends TestHome {
  /** Path of the config. */
  readonly config: string;
  lepton(plan?: SimulatedPlan): Promise<LeptonStandIn>;
}

export async function commandBench(label: string): Promise<CommandBench> {
  const home = await testHome(label);
  const config = path.join(home.folder, 'run.yaml');
  await writeFile(config, stringify(runConfig()));
  const platforms: LeptonStandIn[] = [];
  return {
    ...home,
    config,
    async lepton(plan = {}) {
      const platform = await simulatedLepton(home.folder, plan);
      platforms.push(platform);
      return platform;
    },
    async dispose() {
      await home.dispose();
      await Promise.all(platforms.map((platform) => platform.close()));
    },
  };
}

/** Returns a config of three tasks; `change` replaces whole sections. */
export const runConfig = (change: object = {}): object => ({
  defaults: [{ execution: 'lepton' }, { deployment: 'vllm' }, '_self_'],
  execution: { output_dir: './results' },
  deployment: { hf_model_handle: 'org/model', served_model_name: 'org/model' },
  evaluation: {
    nemo_evaluator_config: {
      config: { params: { extra: { tokenizer: 'org/model', tokenizer_backend: 'huggingface' } } },
    },
    tasks: [{ name: 'hellaswag' }, { name: 'arc_challenge' }, { name: 'winogrande' }],
  },
  ...change,
});

/** Counts successful creates of deployments. */
export async function createdDeployments(platform: SimulatedPlatform): Promise<number> {
  const requests = await platform.requests();
  return requests.filter(
    ({ method, path: route, status }) => method === 'POST' && route === '/deployments' && status < 300,
  ).length;
}

/** Replaces the faults of a simulated platform. */
export async function setFaults(
  { url, token }: Pick<SimulatedPlatform, 'url' | 'token'>,
  faults: readonly object[],
): Promise<void> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const answer = await fetch(new URL('/__sim/plan', url), {
    method: 'POST',
    headers,
    body: JSON.stringify({ faults }),
  });
  if (!answer.ok) throw new Error(`/__sim/plan answered ${answer.status}`);
}

/** Returns the address of a home's Temporal server. */
export const temporalAddress = async ({ home }: Pick<TestHome, 'home'>): Promise<string> =>
  `127.0.0.1:${(await readRecord(home, 'temporal'))?.ports['grpc'] ?? ''}`;

/**
 * Gives the services of a fresh home ports that they find free again when they were killed: nobody who asks for any port is given
 * one of these meanwhile.
 */
export async function settlePorts({ home }: Pick<TestHome, 'home'>): Promise<void> {
  const ports = { temporal: ['grpc', 'ui'], platform: ['http'], codec: ['http'] } as const;
  const ended = { pid: process.pid, identity: 'of another process', setup: '', stopped: true };
  for (const [name, uses] of Object.entries(ports)) {
    const chosen = await Promise.all(uses.map(async (use) => [use, await freePortForLater()] as const));
    const startedAt = new Date().toISOString();
    await writeRecord(home, name as ServiceName, { ...ended, startedAt, ports: Object.fromEntries(chosen) });
  }
}

/** Connects a client without an encryption key to a home's Temporal server. */
export async function temporalOf(home: Pick<TestHome, 'home'>): Promise<Client> {
  return connectClient({
    connection: { address: await temporalAddress(home) },
    namespace: 'default',
    dataConverter: {},
  });
}

/** Terminates a run of three tasks and its tasks, so that nothing is torn down. */
export async function terminateAll(client: Client, invocation: string): Promise<void> {
  for (const id of [`eval-${invocation}`, ...[0, 1, 2].map((index) => `eval-${invocation}.${index}`)])
    await client.workflow.getHandle(id).terminate();
}

/**
 * Pauses the sweeps of all platforms that runs of a home were started on, and waits for those that have begun: at every full ten
 * minutes they send requests, which a test would count, or use up its faults.
 */
export async function pauseSweeps(home: Pick<TestHome, 'home'>): Promise<void> {
  const client = await temporalOf(home);
  try {
    for await (const { scheduleId } of client.schedule.list()) {
      const schedule = client.schedule.getHandle(scheduleId);
      await schedule.pause();
      const { info } = await schedule.describe();
      for (const { action } of info.recentActions) {
        const { workflowId, firstExecutionRunId } = action.workflow;
        const sweep = client.workflow.getHandle(workflowId, firstExecutionRunId);
        await sweep.result().catch(() => undefined);
      }
    }
  } finally {
    await client.connection.close();
  }
}

/** Polls until a condition holds. */
export async function until(what: string, holds: () => Promise<boolean>, withinMs = 100_000): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
