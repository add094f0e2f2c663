import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ConfigError, loadConfig } from '../../../src/config';
import { problems } from './configs';

let folder: string;
beforeAll(async () => (folder = await mkdtemp(path.join(tmpdir(), 'evalsaga-look-ahead-'))));
afterAll(() => rm(folder, { recursive: true, force: true }));

async function problemPaths(deployment: string, execution: string): Promise<string[]> {
  const config = path.join(folder, 'c.yaml');
  const text = `defaults: [{execution: lepton}, {deployment: vllm}, _self_]\nexecution: ${execution}\ndeployment: ${deployment}\nevaluation: {tasks: [{name: hellaswag}]}\n`;
  await writeFile(config, text);
  const error: unknown = await loadConfig({ config, overrides: [], tasks: [], env: {}, cwd: folder }).catch(
    (caught: unknown) => caught,
  );
  if (!(error instanceof ConfigError)) throw new Error('the config was accepted');
  return error.problems.map((problem) => problem.path);
}

test('problems that only planning finds are reported together with a misspelt key elsewhere', async () => {
  const tooWide = '{hf_model_handle: a/b, tensor_parallel_size: 8, lepton_config: {resource_shape: gpu.1xh200}}';
  const paths = await problemPaths(tooWide, '{output_dir: ./r, start_polcy: as_ready}');
  expect(paths[0]).toBe('execution.start_polcy');
  expect(paths.slice(1).some((found) => found.startsWith('deployment.'))).toBe(true);
});

test('a problem that may only follow from a reported one is not reported', async () => {
  expect(await problemPaths('{hf_model_handel: a/b}', '{output_dir: ./r}')).toEqual(['deployment.hf_model_handel']);
});

test('an unknown task, a wrong number and an unset variable do not hide each other, nor what planning finds', async () => {
  const config = path.join(folder, 'many.yaml');
  await writeFile(
    config,
    `defaults: [execution: slurm/default, deployment: vllm, _self_]
execution: {output_dir: ./r, keep_storage: perhaps}
deployment: {hf_model_handle: a/b, port: 99999, tensor_parallel_size: 8, lepton_config: {resource_shape: gpu.1xh200, envs: {A: host:NOT_SET}}}
evaluation: {tasks: [{name: hellaswagg}, {name: mmlu_pro}]}
`,
  );
  const error: unknown = await loadConfig({ config, overrides: [], tasks: [], env: {}, cwd: folder }).catch(
    (caught: unknown) => caught,
  );
  if (!(error instanceof ConfigError)) throw new Error('the config was accepted');
  expect(error.problems.map(({ path: at }) => at).sort()).toEqual([
    'defaults.execution',
    'deployment.lepton_config.envs.A',
    'deployment.port',
    'deployment.tensor_parallel_size',
    'evaluation.tasks.0.name',
    'evaluation.tasks.1.name',
    'execution.keep_storage',
  ]);
});

describe('several faults of different kinds', () => {
  const paths = async (text: string, executor?: string) =>
    (await problems(text, executor === undefined ? {} : { executor })).map(({ path }) => path);

  test('behind another executor: a value that is missing, keys, tasks, a judge\u2019s key, the model', async () => {
    const text = `defaults: [execution: slurm/default, deployment: vllm, _self_]
execution: {output_dir: ???, hostname: ???, grss: 1, walltime: abc}
deployment: {tesnor_parallel_size: 2, port: eight}
evaluation: {tasks: [{name: hellaswagg}, {name: mmlu_pro}, {name: AIME_2025}, {name: x.y, container: "a/b:1"}]}
`;
    const all = [
      'execution.output_dir',
      'execution.evaluation_tasks.timeout',
      'execution.grss',
      'deployment.port',
      'deployment.tesnor_parallel_size',
      'evaluation.tasks.0.name',
      'evaluation.tasks.1.name',
      'evaluation.tasks.3.name',
      'evaluation.tasks.2.name',
      'deployment.checkpoint_path',
    ];
    expect(await paths(text, 'lepton')).toEqual(all);
    expect(await paths(text)).toEqual(['defaults.execution', ...all]);
  });

  test('a secret in the file, numbers, a task\u2019s kind, an absent URL', async () => {
    const text = `defaults: [execution: local, deployment: none, _self_]
execution: {mode: x}
target: {api_endpoint: {model_id: ???}}
evaluation:
  env_vars: {HF_TOKEN: hf_abcdefghijklmnopqrstuvwxyz0123456789}
  nemo_evaluator_config: {config: {params: {temprature: 1, limit_samples: -1}}}
  tasks: [{name: ifeval, endpoint_type: completions}, {nme: hle}]
`;
    expect(await paths(text, 'lepton')).toEqual([
      'execution.output_dir',
      'target.api_endpoint.model_id',
      'evaluation.tasks.1.nme',
      'evaluation.nemo_evaluator_config.config.params.limit_samples',
      'evaluation.nemo_evaluator_config.config.params.temprature',
      'evaluation.env_vars.HF_TOKEN',
      'evaluation.tasks.0.name',
      'target.api_endpoint.url',
    ]);
  });

  test('a reference to nothing, a URL, names', async () => {
    const text = `defaults: [execution: lepton, deployment: none, _self_]
execution: {output_dir: "\${nowhere}"}
target: {api_endpoint: {url: "not a url", model_id: m}}
evaluation: {tasks: [{name: no_such}, {name: hellaswag, containr: x}]}
`;
    expect(await paths(text)).toEqual([
      'execution.output_dir',
      'evaluation.tasks.1.containr',
      'evaluation.tasks.0.name',
      'target.api_endpoint.url',
    ]);
  });
});
