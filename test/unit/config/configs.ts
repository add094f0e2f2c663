/** Writes, loads and plans config files for tests, each in its own folder. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { scriptIn } from '../../../src/config/plan/read-script';
import type { RunPlan } from '../../../src/contract/plan';
import { ConfigError, loadConfig, planRun } from '../../../src/config';
import type { ConfigProblem, LoadedConfig } from '../../../src/config';

export interface Setup {
  readonly overrides?: readonly string[];
  readonly tasks?: readonly string[];
  readonly models?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string>>;
  readonly envFile?: string;
  readonly executor?: string;
}

export const invocation = '843b6c12a0b1c2d3';

/** Returns a valid config: deployment vllm with a hub model, one task. */
export const runnable = (more = ''): string =>
  `defaults:\n  - execution: lepton\n  - deployment: vllm\n  - _self_\nexecution:\n  output_dir: ./out\ndeployment:\n  hf_model_handle: org/model\n${more}evaluation:\n  tasks:\n    - name: hellaswag\n`;

export async function load(
  text: string,
  { overrides = [], tasks = [], models = [], env = {}, files = {}, envFile, executor }: Setup = {},
): Promise<LoadedConfig> {
  const folder = mkdtempSync(path.join(tmpdir(), 'evalsaga-config-'));
  try {
    for (const [name, content] of Object.entries({ ...files, 'config.yaml': text })) {
      mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
      writeFileSync(path.join(folder, name), content);
    }
    return await loadConfig({
      config: 'config.yaml',
      overrides,
      tasks,
      models,
      env,
      cwd: folder,
      ...(envFile === undefined ? {} : { envFile }),
      ...(executor === undefined ? {} : { executor }),
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export async function plan(
  text: string,
  setup: Setup = {},
): Promise<{ plan: RunPlan; hostSecrets: readonly string[] }> {
  const loaded = await load(text, setup);
  return planRun(loaded, {
    invocation,
    platform: { kind: 'local', workspace: 'local' },
    owner: 'me',
    command: 'start',
    cwd: '/work',
  });
}

/** Returns the problems of an invalid config, with file names relative to its folder. */
export async function problems(text: string, setup: Setup = {}): Promise<ConfigProblem[]> {
  try {
    await plan(text, setup);
  } catch (error) {
    if (error instanceof ConfigError)
      return error.problems.map((problem) => ({
        ...problem,
        ...(problem.file === undefined ? {} : { file: path.basename(problem.file) }),
      }));
    throw error;
  }
  throw new Error('the config was accepted');
}

/** Returns the script that a job's command unpacks. */
export const scriptOf = (command: readonly string[] | undefined): string => scriptIn(command) ?? '';

/** Returns a config of this deployment type. */
export const deploying = (type: string, body: string, tasks = '[{name: lm-evaluation-harness.ifeval}]'): string =>
  `defaults:\n  - execution: lepton\n  - deployment: ${type}\n  - _self_\nexecution: {output_dir: out}\ndeployment: ${body}\nevaluation: {tasks: ${tasks}}\n`;

/** Returns a config for an existing endpoint. */
export const against = (target: string, tasks = '[{name: hellaswag}]'): string =>
  `defaults:\n  - execution: lepton\n  - deployment: none\n  - _self_\nexecution: {output_dir: out}\ntarget: {api_endpoint: ${target}}\nevaluation: {tasks: ${tasks}}\n`;

/** Plans a config that deploys an endpoint. */
export const dedicated = async (text: string, setup = {}) => {
  const { plan: run, hostSecrets } = await plan(text, setup);
  if (run.endpoint.kind !== 'dedicated') throw new Error('expected a dedicated endpoint');
  return { run, hostSecrets, spec: run.endpoint.spec, probe: run.endpoint.probe };
};
