import { execa } from 'execa';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { stringify } from 'yaml';
import { homePaths, type HomePaths } from '../../src/home/paths';
import { readRecord, type ServiceName } from '../../src/stack/record';
import { stopStack } from '../../src/stack/stop';
import { findServerBinary } from '../../src/temporal/server-binary';
import { freshFolder, testCache } from './folders';
import { startSimulated, type SimulatedPlan, type SimulatedPlatform } from './simulated';

/** The built program, run as users run it: as a process of its own, in a home of its own. */
export const program =
  process.env['EVALSAGA_TEST_PROGRAM'] ?? path.resolve(__dirname, '..', '..', 'dist', 'cli', 'main.js');

export interface Finished {
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly pid: number;
  /** Resolves once stderr has it; rejects when the command ends without. */
  untilSaid(what: RegExp): Promise<RegExpExecArray>;
  signal(signal: NodeJS.Signals): void;
  readonly finished: Promise<Finished>;
}

export interface TestHome {
  readonly home: HomePaths;
  readonly folder: string;
  /** Variables besides those of this process. */
  readonly env: Record<string, string>;
  run(args: readonly string[], env?: Record<string, string>): Promise<Finished>;
  start(args: readonly string[], env?: Record<string, string>): Running;
  pidOf(name: ServiceName): Promise<number>;
  /** Ends its background processes, whatever runs are open, and removes the folder. */
  dispose(): Promise<void>;
}

/** A fresh home, with no credentials and no Temporal from the surroundings. */
export async function testHome(label: string): Promise<TestHome> {
  const folder = await freshFolder(label);
  const binary = await findServerBinary({ home: homePaths({ EVALSAGA_HOME: testCache }), env: process.env });
  const home = homePaths({ EVALSAGA_HOME: path.join(folder.path, 'home') });
  const env = { ...bareEnvironment(), EVALSAGA_HOME: home.root, TEMPORAL_CLI_PATH: binary, HOME: folder.path };
  const start = (args: readonly string[], extra: Record<string, string> = {}): Running =>
    startCommand(args, { cwd: folder.path, env: { ...env, ...extra } });
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

/** This process' own, without what would lead a command to somebody else's Temporal, platform or home. */
export function bareEnvironment(): Record<string, string> {
  const kept = Object.entries(process.env).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && !/^(LEPTON_|TEMPORAL_|EVALSAGA_|npm_|INIT_CWD|CI$)/.test(entry[0]),
  );
  return Object.fromEntries(kept);
}

function startCommand(args: readonly string[], { cwd, env }: { cwd: string; env: Record<string, string> }): Running {
  const child = execa(process.execPath, [program, ...args], {
    cwd,
    env,
    extendEnv: false,
    reject: false,
    stdin: 'ignore',
    stripFinalNewline: false,
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const finished = child.then(({ exitCode, stdout, stderr }) => ({ code: exitCode, stdout, stderr }));
  return {
    pid: child.pid ?? NaN,
    signal: (signal) => void child.kill(signal),
    finished,
    untilSaid: (what) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const match = what.exec(said);
          if (match) resolve(match);
        };
        child.stderr.on('data', look);
        look();
        void finished.then(({ code }) => reject(new Error(`ended (${code}) without ${what}:\n${said}`)));
      }),
  };
}

export interface LeptonStandIn extends SimulatedPlatform {
  /** `LEPTON_WORKSPACE_*` of it. */
  readonly env: Record<string, string>;
}

/** A simulated platform that a command takes for a Lepton workspace. */
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

/** A home with a config of three tasks, and stand-ins for Lepton that end with it. */
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

/** A config of three tasks; `change` replaces whole sections. */
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

/** How often each deployment was created, by the answers. */
export async function createdDeployments(platform: SimulatedPlatform): Promise<number> {
  const requests = await platform.requests();
  return requests.filter(
    ({ method, path: route, status }) => method === 'POST' && route === '/deployments' && status < 300,
  ).length;
}

/** Waits for a condition that this process cannot be told about. */
export async function until(what: string, holds: () => Promise<boolean>, withinMs = 60_000): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
