/**
 * Small files of every kind that public configs for the local and Slurm executors are of, with what is right: most run with
 * nothing changed but the executor. The share is that of kinds; of whole public files it is larger.
 */
import { renderProblem } from '../../../../src/config';
import { load, plan, problems, scriptOf } from '../configs';
import type { Setup } from '../configs';

const lepton: Setup = {
  executor: 'lepton',
  env: { HF_TOKEN: 'value', MY_TOKEN: 'value', JUDGE_KEY: 'value', NEMO_EVALUATOR_TRUST_UNLISTED_TASKS: '1' },
};
const chat = 'target: {api_endpoint: {url: "https://models.example/v1/chat/completions", model_id: m}}';
const local = (evaluation: string, target = chat, more = ''): string =>
  `defaults: [execution: local, deployment: none, _self_]\nexecution: {output_dir: out}\n${target}\n${more}evaluation: ${evaluation}\n`;
const slurm = (deployment: string, execution = '', more = '', task = '{name: hellaswag}'): string =>
  `defaults: [execution: slurm/default, deployment: vllm, _self_]\nexecution: {output_dir: out, hostname: ???, account: ???${execution}}\n${more}deployment: {hf_model_handle: org/model${deployment}}\nevaluation: {tasks: [${task}]}\n`;
const one = '{tasks: [{name: mmlu_instruct}]}';

/** What runs, and what is said about it. */
const running: readonly { name: string; text: string; says?: string }[] = [
  { name: 'an endpoint that exists', text: local(one) },
  {
    name: 'keys of the local executor',
    text: local(one).replace('out}', 'out, mode: sequential, extra_docker_args: -v}'),
  },
  { name: 'keys of Slurm, some of them ???', text: slurm('', ', partition: batch, gres: "gpu:8", walltime: 04:00:00') },
  { name: 'a cluster of one’s own presets', text: slurm('', '', 'cluster: {sbatch_comment: x}\n'), says: 'cluster' },
  { name: 'export', text: local(one, chat, 'export: {mlflow: {tracking_uri: ???}}\n') },
  { name: 'a list of tasks', text: local('[{name: mmlu_instruct}]'), says: 'is read as `evaluation.tasks`' },
  {
    name: 'overrides of 0.1',
    text: local('{overrides: {config.params.top_p: 0.5}, tasks: [{name: mmlu_instruct}]}'),
  },
  {
    name: 'params of a task',
    text: local('{tasks: [{name: mmlu_instruct, params: {temperature: 0.5}}]}'),
    says: 'is taken as `evaluation.tasks.0.nemo_evaluator_config.config.params`',
  },
  {
    name: 'extra beside params',
    text: local('{tasks: [{name: mmlu_instruct, nemo_evaluator_config: {config: {extra: {num_fewshot: 5}}}}]}'),
    says: 'is taken as `evaluation.tasks.0.nemo_evaluator_config.config.params.extra`',
  },
  {
    name: 'variables inside the evaluator’s config',
    text: local('{tasks: [{name: mmlu_instruct, nemo_evaluator_config: {env_vars: {HF_TOKEN: MY_TOKEN}}}]}'),
    says: 'is taken as `evaluation.tasks.0.env_vars`',
  },
  {
    name: 'an endpoint’s settings one section off',
    text: local(
      '{nemo_evaluator_config: {config: {target: {api_endpoint: {adapter_config: {use_caching: true}}}}}, tasks: [{name: mmlu_instruct}]}',
    ),
    says: 'is taken as `evaluation.nemo_evaluator_config.target`',
  },
  {
    name: 'max_tokens',
    text: local('{nemo_evaluator_config: {config: {params: {max_tokens: 9}}}, tasks: [{name: mmlu_instruct}]}'),
    says: 'is taken as `evaluation.nemo_evaluator_config.config.params.max_new_tokens`',
  },
  {
    name: 'a task for the other path of the same server',
    text: local('{tasks: [{name: mmlu_instruct}, {name: hellaswag}]}'),
    says: 'ask their own path of the same server: hellaswag',
  },
  {
    name: 'a retired task',
    text: local('{tasks: [{name: aa_scicode}]}'),
    says: 'it runs in nvcr.io/nvidia/eval-factory/scicode:25.10',
  },
  {
    name: 'a harness with dashes',
    text: local('{tasks: [{name: simple-evals.mgsm}]}'),
    says: 'is taken as simple_evals.mgsm',
  },
  {
    name: 'a bare name that another harness has since',
    text: local('{tasks: [{name: humaneval_instruct}]}'),
    says: 'is taken as bigcode-evaluation-harness.humaneval_instruct',
  },
  {
    name: 'a name that has one task per kind today',
    text: slurm('', '', '', '{name: mbpp}'),
    says: '`mbpp` is taken as mbpp-chat',
  },
  {
    name: 'a task that has another name today',
    text: slurm('', '', '', '{name: adlr_minerva_math_nemo}'),
    says: 'is taken as adlr_minerva_math_nemo_4_shot',
  },
  { name: 'a task in an image of its own', text: local('{tasks: [{name: mine.task, container: "reg.example/i:1"}]}') },
  {
    name: 'a URL of the server itself',
    text: slurm('', '', 'target: {api_endpoint: {url: "http://localhost:8000/v1"}}\n'),
    says: 'is ignored',
  },
  {
    name: 'a model’s name beside a deployment',
    text: slurm('', '', 'target: {api_endpoint: {model_id: served}}\n'),
    says: 'is used as `deployment.served_model_name`',
  },
  {
    name: 'model_path',
    text: slurm('').replace('hf_model_handle: org/model', 'model_path: /models/m'),
    says: 'is read as `deployment.checkpoint_path`',
  },
  {
    name: 'settings of a deployment that there is not',
    text: local(one, chat, 'deployment: {served_model_name: m, image: "a/b:1", checkpoint_path: /c}\n'),
    says: 'deployment.served_model_name, deployment.image, deployment.checkpoint_path',
  },
  {
    name: 'copies on two nodes',
    text: slurm(', data_parallel_size: 16', ', num_nodes: 2'),
    says: 'become 2 replicas with 8 each',
  },
  {
    name: 'a model over two nodes',
    text: slurm(', tensor_parallel_size: 8, pipeline_parallel_size: 2', ', num_nodes: 2'),
    says: 'is 1 here instead of 2',
  },
  {
    name: 'a placeholder for a secret',
    text: slurm('', ', env_vars: {deployment: {HF_TOKEN: "hf_your_token"}}'),
    says: 'deployment.env_vars: {HF_TOKEN: host:HF_TOKEN}',
  },
  {
    name: 'prefixes with a dollar',
    text: local('{env_vars: {HF_TOKEN: "$host:MY_TOKEN", A: "$lit:b"}, tasks: [{name: mmlu_instruct}]}'),
  },
  {
    name: 'variables directly under execution',
    text: local(one).replace('out}', 'out, env_vars: {HF_TOKEN: MY_TOKEN}}'),
  },
  {
    name: 'variables for all',
    text: slurm('', '', 'env_vars: {HF_TOKEN: host:HF_TOKEN}\n'),
    says: 'HF_TOKEN: also for the model server',
  },
];

/** What can't be decided, or nobody defines; `paths` are all that one pass names. */
const refused: readonly { name: string; text: string; paths: readonly string[] }[] = [
  { name: 'a name of several tasks', text: slurm('', '', '', '{name: mmlu_pro}'), paths: ['evaluation.tasks.0.name'] },
  {
    name: 'a model over more GPUs',
    text: slurm(', tensor_parallel_size: 8, pipeline_parallel_size: 4', ', num_nodes: 4'),
    paths: ['deployment.tensor_parallel_size'],
  },
  {
    name: 'a key whose place has another value',
    text: local(
      '{nemo_evaluator_config: {config: {params: {max_tokens: 9, max_new_tokens: 8}}}, tasks: [{name: mmlu_instruct}]}',
    ),
    paths: ['evaluation.nemo_evaluator_config.config.params.max_tokens'],
  },
];

test.each(running)('$name runs', async ({ text, says }) => {
  const { warnings } = await load(text, lepton);
  await plan(text, lepton);
  if (says !== undefined) expect(warnings.map(renderProblem).join('\n')).toContain(says);
});

test.each(refused)('$name is refused', async ({ text, paths }) => {
  expect((await problems(text, lepton)).map(({ path }) => path)).toEqual(paths);
});

test('at least nine of ten kinds run with nothing changed but the executor', () => {
  expect(running.length / (running.length + refused.length)).toBeGreaterThanOrEqual(0.9);
});

describe('what they become', () => {
  const served = async (text: string) => {
    const { plan: run } = await plan(text, lepton);
    if (run.endpoint.kind !== 'dedicated') throw new Error('expected a dedicated endpoint');
    return run.endpoint.spec;
  };
  const resources = (spec: { body: Readonly<Record<string, unknown>> }) => spec.body['resource_requirement'];

  test('replicas of one node', async () => {
    const spec = await served(slurm(', data_parallel_size: 16', ', num_nodes: 2'));
    expect(spec.container.command).toContain('--data-parallel-size=8');
    expect(resources(spec)).toMatchObject({ resource_shape: 'gpu.8xh200', min_replicas: 2, max_replicas: 2 });
    const two = await served(slurm(', tensor_parallel_size: 8, pipeline_parallel_size: 2', ', num_nodes: 2'));
    expect(two.container.command).toContain('--pipeline-parallel-size=1');
    expect(resources(two)).toMatchObject({ resource_shape: 'gpu.8xh200', max_replicas: 1 });
  });

  test('a shape of the user’s own changes nothing', async () => {
    const text = slurm(', data_parallel_size: 16, lepton_config: {resource_shape: gpu.16xgb200}', ', num_nodes: 2');
    const spec = await served(text);
    expect(spec.container.command).toContain('--data-parallel-size=16');
    expect(resources(spec)).toMatchObject({ resource_shape: 'gpu.16xgb200', min_replicas: 1 });
  });

  test('a command that asks Slurm which node it is gets the answers of the first of one', async () => {
    const command = 'if [ $SLURM_PROCID -eq 0 ]; then serve --at $MASTER_IP --dp ${deployment.data_parallel_size}; fi';
    const spec = await served(slurm(`, data_parallel_size: 16, command: '${command}'`, ', num_nodes: 2'));
    expect(spec.envs).toEqual(
      expect.arrayContaining([
        { name: 'SLURM_PROCID', value: '0' },
        { name: 'MASTER_IP', value: '127.0.0.1' },
      ]),
    );
    expect(spec.envs.map(({ name }) => name)).not.toContain('SLURM_NODEID');
    expect(spec.container.command?.at(-1)).toContain('--dp 8');
  });

  test('variables at the top reach server and jobs; the server’s own win', async () => {
    const all = 'env_vars: {A: lit:all, HF_TOKEN: host:HF_TOKEN, B: runtime:HOME}\n';
    const text = slurm(', env_vars: {A: lit:server}', '', all);
    const { plan: run } = await plan(text, lepton);
    const job = run.tasks[0]?.job.envs ?? [];
    const token = { name: 'HF_TOKEN', secret: { kind: 'host', name: 'HF_TOKEN' } };
    expect((await served(text)).envs).toEqual(expect.arrayContaining([{ name: 'A', value: 'server' }, token]));
    expect(job).toEqual(expect.arrayContaining([{ name: 'A', value: 'all' }, token]));
    const own = text
      .replace('execution: slurm/default', 'execution: lepton')
      .replace(', hostname: ???, account: ???', '');
    expect(JSON.stringify((await plan(own, { env: { HF_TOKEN: 'value' } })).plan.endpoint)).not.toContain('HF_TOKEN');
  });

  test('a task of the other kind asks its own path', async () => {
    const { plan: run } = await plan(local('{tasks: [{name: mmlu_instruct}, {name: hellaswag}]}'), lepton);
    expect(scriptOf(run.tasks[1]?.job.container.command)).toContain('url: https://models.example/v1/completions');
    expect(scriptOf(run.tasks[0]?.job.container.command)).not.toContain('/v1/completions');
  });

  test('a secret in the URL stays one in the path of the other kind', async () => {
    const text = local('{tasks: [{name: mmlu_instruct}, {name: hellaswag}]}').replace(
      'https://models.example/v1/chat/completions',
      '${oc.env:SERVER}',
    );
    const env = { SERVER: 'https://user:s3cret-pass-word@models.example/v1/chat/completions' };
    const { plan: run } = await plan(text, { ...lepton, env });
    expect(JSON.stringify(run)).not.toContain('s3cret');
    const script = scriptOf(run.tasks[1]?.job.container.command);
    expect(script).toContain('@models.example/v1/completions');
    expect(script).not.toContain('s3cret');
  });

  test('a key that is moved has its effect', async () => {
    const { plan: run } = await plan(
      local('{tasks: [{name: mmlu_instruct, params: {max_tokens: 77, extra: {num_fewshot: 3}}}]}'),
      lepton,
    );
    const script = scriptOf(run.tasks[0]?.job.container.command);
    expect(script).toContain('max_new_tokens: 77');
    expect(script).toContain('num_fewshot: 3');
  });

  test('a retired task runs in its last image, of another harness name too', async () => {
    const { plan: run } = await plan(local('{tasks: [{name: scicode.aa_scicode}]}'), lepton);
    expect(run.tasks[0]).toMatchObject({
      task: 'scicode.aa_scicode',
      job: { container: { image: 'nvcr.io/nvidia/eval-factory/scicode:25.10' } },
    });
  });
});

test('a file for Lepton keeps its stricter rules', async () => {
  const text = local('{tasks: [{name: mmlu_instruct, params: {temperature: 0.5}}]}').replace('local', 'lepton');
  const [problem] = await problems(text);
  expect(problem?.hint).toContain('belongs under `evaluation.tasks.0.nemo_evaluator_config.config`');
});
