import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { execa } from 'execa';
import { stringify } from 'yaml';
import type { TestPlatform } from '../local-platform/test-platform';
import { pythonEnvironment } from './lep';

/** Returns the published launcher, with the newest leptonai from which it can import what jobs need. */
export const nemoEnvironment = (): Promise<string> =>
  pythonEnvironment('nemo-0.2.6', ['nemo-evaluator-launcher==0.2.6', 'leptonai>=0.25,<0.47']);

export interface NemoResult {
  readonly code: number | undefined;
  readonly stdout: string;
  readonly all: string;
  /** `METHOD /path?query` of every request that the command made. */
  readonly requests: readonly string[];
}

/** Runs `nemo-evaluator-launcher` with these arguments against the platform. */
export type Nemo = (...args: string[]) => Promise<NemoResult>;

/**
 * Returns the launcher as a user of the local platform runs it (docs/developing-on-a-laptop.md): the platform from the
 * environment, `lep` on PATH, and wide lines, since the launcher parses JSON that `lep` prints for people.
 */
export async function nemoFor(platform: TestPlatform): Promise<Nemo> {
  const environment = await nemoEnvironment();
  const bin = path.join(environment, 'bin');
  const cache = path.join(platform.root, 'lep-cache');
  mkdirSync(cache, { recursive: true });
  writeFileSync(path.join(cache, 'latest_version_check'), String(Math.floor(Date.now() / 1000)));
  const env = {
    PATH: `${bin}:${process.env['PATH'] ?? ''}`,
    HOME: platform.root,
    LEPTON_CACHE_DIR: cache,
    LEPTON_WORKSPACE_ID: platform.workspace,
    LEPTON_WORKSPACE_TOKEN: platform.token,
    LEPTON_WORKSPACE_URL: platform.url,
    NEMO_EVALUATOR_TELEMETRY_LEVEL: '0',
    COLUMNS: '100000',
  };
  return async (...args) => {
    const before = (await platform.sim('/requests')).length;
    const { exitCode, all, stdout } = await execa(
      path.join(bin, 'python'),
      [path.join(bin, 'nemo-evaluator-launcher'), ...args],
      { env, extendEnv: false, cwd: platform.root, all: true, reject: false, stdin: 'ignore', timeout: 240_000 },
    );
    const made: { method: string; path: string }[] = (await platform.sim('/requests')).slice(before);
    return { code: exitCode, all, stdout, requests: made.map((request) => `${request.method} ${request.path}`) };
  };
}

/** Writes the complete config of the manual; returns its path. */
export function documentedConfig(platform: TestPlatform): string {
  const manual = readFileSync(path.resolve('docs', 'developing-on-a-laptop.md'), 'utf8');
  const config = /^```yaml\n(defaults:\n[^]*?)^```$/m.exec(manual)?.[1];
  if (config === undefined) throw new Error('the manual shows no config that begins with `defaults:`');
  const file = path.join(platform.root, 'run.yaml');
  writeFileSync(file, config);
  return file;
}

/** Writes a config in the launcher's format; returns its path. */
export function nemoConfig(platform: TestPlatform, { tasks }: { readonly tasks: readonly string[] }): string {
  const file = path.join(platform.root, 'nemo.yaml');
  const config = {
    defaults: [{ execution: 'lepton/default' }, { deployment: 'vllm' }, '_self_'],
    execution: {
      output_dir: path.join(platform.root, 'out'),
      lepton_platform: {
        deployment: { node_group: 'local', endpoint_readiness_timeout: 120 },
        tasks: { node_group: 'local', env_vars: { HF_TOKEN: { value_from: { secret_name_ref: 'HUB' } } } },
      },
    },
    deployment: {
      checkpoint_path: 'org/model',
      served_model_name: 'org/model',
      tensor_parallel_size: 1,
      data_parallel_size: 1,
      lepton_config: {
        resource_shape: 'gpu.1xh200',
        min_replicas: 1,
        max_replicas: 1,
        auto_scaler: { scale_down: { no_traffic_timeout: 3600, scale_from_zero: false } },
        envs: { HF_TOKEN: { value_from: { secret_name_ref: 'HUB' } } },
        mounts: { enabled: true, cache_path: '/shared/cache/{{MODEL_CACHE_NAME}}', mount_path: '/opt/nim/.cache' },
      },
    },
    evaluation: {
      nemo_evaluator_config: { config: { params: { limit_samples: 2, parallelism: 1 } } },
      tasks: tasks.map((name) => ({ name })),
    },
  };
  writeFileSync(file, stringify(config));
  return file;
}
