import { mkdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { homePaths, type HomePaths } from '../../src/home/paths';
import { provisionOnce } from '../../src/provision/once';
import { findPython, run } from '../../src/provision/python';
import { ensureUv } from '../../src/provision/uv';
import { eventually, type TestPlatform } from '../local-platform/test-platform';

/** Versions of the service's own client, installed once per machine. */
export const lepVersions = ['0.47.1', '0.27.3'] as const;

export type LepVersion = (typeof lepVersions)[number];

/** Returns where software for tests is kept: `EVALSAGA_TEST_CACHE`, or `~/.cache/evalsaga-test`. */
export const testCache = (): HomePaths =>
  homePaths({ EVALSAGA_HOME: process.env['EVALSAGA_TEST_CACHE'] ?? path.join(homedir(), '.cache', 'evalsaga-test') });

/** Returns the folder of an environment with these packages and their dependencies, installed by uv. `choose`: the Python for it. */
export async function pythonEnvironment(
  name: string,
  requirements: readonly string[],
  choose: () => Promise<string> = findPython,
): Promise<string> {
  const home = testCache();
  return provisionOnce({
    folder: path.join(home.runtimes, name),
    key: requirements.join(' '),
    label: name,
    async produce(draft) {
      const [python, uv] = await Promise.all([choose(), ensureUv({ home })]);
      const what = `Making the Python environment ${name}`;
      await run({ what, file: uv, args: ['venv', '--quiet', '--relocatable', '--python', python, draft] });
      const install = ['pip', 'install', '--quiet', '--python', path.join(draft, 'bin', 'python'), ...requirements];
      await run({ what, file: uv, args: install });
    },
  });
}

export interface LepResult {
  readonly code: number | undefined;
  /** stdout and stderr as they came, with the line breaks at 80 columns replaced by blanks. */
  readonly text: string;
  readonly stdout: string;
  /** `METHOD /path` (without the query) of every request that the command made. */
  readonly requests: readonly string[];
}

export interface Lep {
  /** Runs `lep` with these arguments against the platform. */
  (...args: string[]): Promise<LepResult>;
  /** Runs a Python program with the SDK against the platform. */
  python(program: string): Promise<LepResult>;
}

/**
 * Returns a `lep` of that version that gets the platform from the environment, or with `login` from its login. Its check for a
 * newer version is off, since that would call the package index.
 */
export async function lepFor(version: LepVersion, platform: TestPlatform, { login = false } = {}): Promise<Lep> {
  const environment = await pythonEnvironment(`lep-${version}`, [`leptonai==${version}`]);
  const cache = path.join(platform.root, `lep-cache-${version}`);
  mkdirSync(cache, { recursive: true });
  writeFileSync(path.join(cache, 'latest_version_check'), String(Math.floor(Date.now() / 1000)));
  const access = {
    LEPTON_WORKSPACE_ID: platform.workspace,
    LEPTON_WORKSPACE_TOKEN: platform.token,
    LEPTON_WORKSPACE_URL: platform.url,
  };
  const env = { PATH: process.env['PATH'], HOME: platform.root, LEPTON_CACHE_DIR: cache, ...(login ? {} : access) };
  const start = async (args: readonly string[]): Promise<LepResult> => {
    const before = (await platform.sim('/requests')).length;
    const python = path.join(environment, 'bin', 'python');
    const { exitCode, all, stdout } = await execa(python, args, {
      env,
      extendEnv: false,
      all: true,
      reject: false,
      stdin: 'ignore',
      timeout: 90_000,
    });
    const made: { method: string; path: string }[] = (await platform.sim('/requests')).slice(before);
    const requests = made.map((request) => `${request.method} ${request.path.split('?')[0]}`);
    return { code: exitCode, text: all.replace(/\s+/g, ' '), stdout, requests };
  };
  const lep = (...args: string[]) => start([path.join(environment, 'bin', 'lep'), ...args]);
  return Object.assign(lep, { python: (program: string) => start(['-c', program]) });
}

/** States and logs with which the clients are tested. */
export const lepPlan = `
endpoints:
  match: [{ name: '*broken*', states: [[Error]], message: 'image pull failed' }]
  default: { states: [[Starting, 100ms], [Ready]], log: 'größer 🚀' }
jobs:
  match: [{ name: 'slow*', states: [[Running, 1h], [Completed]] }]
  default: { states: [[Running, 100ms], [Completed]], log: 'fertig ✓' }
`;

/** `endpoint create` with every option of the recorded traffic. */
export const createArguments = (name: string, group: string): string[] => [
  ...['-n', name, '--container-image', 'img:1', '--container-port', '8000', '--container-command', 'vllm serve m'],
  ...['--resource-shape', 'gpu.h100-sxm', '--min-replicas', '1', '--max-replicas', '2', '--tokens', 'tok'],
  ...['-e', 'A=1', '-s', 'HF=MYKEY', '--mount', '/p:/data:node-nfs:fs1', '--image-pull-secrets', 'ips1'],
  ...['--node-group', group],
];

/** Resolves when a client has started to read a replica's log; on a busy machine it takes long to start. */
export const logWasAskedFor = (platform: TestPlatform): Promise<true> =>
  eventually(
    async () => {
      const requests: { path: string }[] = await platform.sim('/requests');
      return requests.some((request) => request.path.endsWith('/log')) || undefined;
    },
    'a request for the log',
    90,
  );
