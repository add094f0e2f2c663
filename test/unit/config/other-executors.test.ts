/** Configs written for other executors, and forms of older launchers: what runs, and what is said about it. */
import { renderProblem } from '../../../src/config';
import type { ConfigProblem } from '../../../src/config';
import { load, plan, problems, scriptOf } from './configs';
import type { Setup } from './configs';

const lepton: Setup = { executor: 'lepton' };
const chat = 'target: {api_endpoint: {url: "https://models.example/v1/chat/completions", model_id: m}}';
const head = (execution: string, deployment = 'none'): string =>
  `defaults: [execution: ${execution}, deployment: ${deployment}, _self_]\n`;
const tasks = (list: string): string => `evaluation: {tasks: [${list}]}\n`;
const ifChat = '{name: mmlu_instruct}';

const said = (found: readonly ConfigProblem[]): string => found.map(renderProblem).join('\n');

const slurm = `${head('slurm/default', 'vllm')}execution:
  output_dir: out
  hostname: ???
  account: ???
  username: \${oc.env:NOBODY_SET_THIS}
  partition: batch
  num_nodes: 1
  gres: gpu:8
  walltime: 02:30:00
  sbatch_extra_flags: {qos: high}
  mounts: {deployment: {/data/cache: /cache}, evaluation: {/data/sets: /sets}, mount_home: false}
  auto_export: {destinations: [mlflow], launcher_install_cmd: pip install x}
export: {mlflow: {tracking_uri: "http://mlflow:5000", job_dirs: [/data]}, wandb: {project: ???}}
deployment: {hf_model_handle: org/model, tensor_parallel_size: 2}
${tasks('{name: hellaswag}')}`;

describe('a config for Slurm', () => {
  test.each([
    ['--executor lepton', lepton],
    ['-o execution=lepton/default', { overrides: ['execution=lepton/default'] }],
  ])('runs with %s', async (_name, setup) => {
    const loaded = await load(slurm, setup);
    const { plan: run } = await plan(slurm, setup);
    expect(run.limits.jobSeconds).toBe(9_000);
    expect(run.exports).toMatchObject([{ to: 'mlflow', settings: { tracking_uri: 'http://mlflow:5000' } }]);
    expect(run.endpoint).toMatchObject({
      spec: {
        mounts: [{ path: '/data/cache', mount_path: '/cache', from: 'node-nfs:lepton-shared-fs' }],
        body: { resource_requirement: { resource_shape: 'gpu.2xh200' } },
      },
    });
    expect(run.tasks[0]?.job.mounts).toContainEqual({
      path: '/data/sets',
      mount_path: '/sets',
      from: 'node-nfs:lepton-shared-fs',
    });
    const ignored = loaded.warnings.filter(({ message }) => message.includes('no effect on Lepton'));
    expect(ignored).toHaveLength(1);
    for (const key of ['hostname', 'account', 'username', 'partition', 'num_nodes', 'gres', 'sbatch_extra_flags'])
      expect(said(ignored)).toContain(`execution.${key}`);
    expect(said(ignored)).toContain(
      'execution.mounts.mount_home, execution.auto_export.launcher_install_cmd, export.mlflow.job_dirs',
    );
    expect(said(loaded.warnings)).toContain('execution.walltime: is used as `execution.evaluation_tasks.timeout`');
    expect(said(loaded.warnings)).toContain('deployment.lepton_config.resource_shape: is not set');
  });

  test('says how to run it, and everything else that is wrong with it, in one pass', async () => {
    const found = await problems(slurm.replace('name: hellaswag', 'name: hellaswagg').replace('gres', 'grss'));
    expect(found.map(({ path }) => path)).toEqual(['defaults.execution', 'execution.grss', 'evaluation.tasks.0.name']);
    expect(found[0]?.hint).toContain('--executor lepton');
  });

  test.each([
    ['90', 5_400],
    ['"45:30"', 2_730],
    ['10:00:00', 36_000],
    ['1-12:00:00', 129_600],
    ['unlimited', 3_600],
  ])('its time limit %s is %d s', async (written, seconds) => {
    const { plan: run } = await plan(slurm.replace('02:30:00', written), lepton);
    expect(run.limits.jobSeconds).toBe(seconds);
  });

  test("values of one's own win over those that would be moved", async () => {
    const own = slurm.replace('  partition: batch', '  evaluation_tasks: {timeout: 60}');
    const { plan: run } = await plan(own, lepton);
    expect(run.limits.jobSeconds).toBe(60);
  });

  test('its checkpoint is mounted where its command looks for it', async () => {
    const file = (command: string): string =>
      `${head('slurm/default', 'vllm')}execution: {output_dir: o}\ndeployment: {checkpoint_path: /models/m${command}}\n${tasks('{name: hellaswag}')}`;
    const mounts = async (text: string) => {
      const { plan: run } = await plan(text, lepton);
      return run.endpoint.kind === 'dedicated' ? run.endpoint.spec.mounts : [];
    };
    expect(await mounts(file(''))).toMatchObject([{ path: '/models/m', mount_path: '/models/m' }]);
    expect(await mounts(file(', command: "vllm serve /checkpoint"'))).toMatchObject([
      { path: '/models/m', mount_path: '/checkpoint' },
    ]);
  });

  test('with a type of its own in place of a preset', async () => {
    const text = `defaults: [deployment: none, _self_]\nexecution: {type: slurm, output_dir: o, account: x}\n${chat}\n${tasks(ifChat)}`;
    const { warnings } = await load(text, lepton);
    expect(said(warnings)).toContain('execution.type: `slurm` is replaced by `lepton`');
  });

  test('a value that its foreign keys are needed for is asked for', async () => {
    const text = slurm.replace('output_dir: out', 'output_dir: "/x/${execution.username}"');
    const found = await problems(text, lepton);
    expect(found.map(({ path }) => path)).toEqual(['execution.username']);
  });
});

const local = `${head('local')}execution: {output_dir: o, mode: sequential, extra_docker_args: "--network host"}\n${chat}\n`;

test('a key that nobody defines is refused, whoever the executor', async () => {
  const found = await problems(`${local.replace('mode:', 'mdoe:')}${tasks(ifChat)}`, lepton);
  expect(found.map(({ path }) => path)).toEqual(['execution.mdoe']);
});

test('the launcher’s name of vLLM on several nodes serves on one', async () => {
  const text = (size: number) =>
    `${head('slurm/default', 'vllm_ray')}execution: {output_dir: o}\ndeployment: {hf_model_handle: a/b, pipeline_parallel_size: ${size}, distributed_executor_backend: ray}\n${tasks('{name: hellaswag}')}`;
  await plan(text(2), lepton);
  const [problem] = await problems(text(16), lepton);
  expect(problem?.hint).toContain('a replica runs on one node');
});

describe("keys of one's own that something refers to", () => {
  test('have an effect, at the top level and below a section', async () => {
    const top = `${head('lepton')}model: {name: org/m, host: https://models.example}\nexecution: {output_dir: "out/\${model.name}"}\ntarget: {api_endpoint: {url: "\${model.host}/v1/chat/completions", model_id: "\${model.name}"}}\n${tasks(ifChat)}`;
    expect((await plan(top)).plan.model).toBe('org/m');
    const inner = `${head('lepton', 'vllm')}execution: {output_dir: o}\ndeployment: {hf_model_handle: a/b, max_len: 99, extra_args: "--max-model-len \${.max_len}"}\n${tasks('{name: hellaswag}')}`;
    expect(JSON.stringify((await plan(inner)).plan.endpoint)).toContain('"99"');
    const selected = inner.replace('${.max_len}', '${oc.select:deployment.max_len,1}');
    expect(JSON.stringify((await plan(selected)).plan.endpoint)).toContain('"99"');
  });

  test('are refused when only they refer to themselves', async () => {
    const text = `${head('lepton')}own: {a: 1, b: "\${own.a}"}\nexecution: {output_dir: o}\n${chat}\n${tasks(ifChat)}`;
    expect((await problems(text)).map(({ path }) => path)).toEqual(['own']);
  });
});

describe('task names', () => {
  const against = (url: string, list: string, more = ''): string =>
    `${head('lepton')}execution: {output_dir: o}\ntarget: {api_endpoint: {url: "https://h/v1${url}", model_id: m}}\n${tasks(list)}${more}`;
  const chosen = async (text: string) =>
    (await plan(text, { env: { HF_TOKEN: 't' } })).plan.tasks.map(({ task }) => task);

  test('a bare name means the task that fits the endpoint, and that is said', async () => {
    const names = '{name: mgsm}, {name: mmlu_pro}, {name: gpqa_diamond}, {name: ifeval}, {name: mbpp}';
    expect(await chosen(against('/chat/completions', names))).toEqual([
      'simple_evals.mgsm',
      'simple_evals.mmlu_pro',
      'simple_evals.gpqa_diamond',
      'lm-evaluation-harness.ifeval',
      'bigcode-evaluation-harness.mbpp-chat',
    ]);
    expect(await chosen(against('/completions', '{name: mmlu}, {name: mgsm}'))).toEqual([
      'lm-evaluation-harness.mmlu',
      'lm-evaluation-harness.mgsm',
    ]);
    const { warnings } = await load(against('/chat/completions', '{name: mgsm}'));
    expect(said(warnings)).toContain('`mgsm` is taken as simple_evals.mgsm (chat)');
    expect(said(warnings)).toContain('lm-evaluation-harness.mgsm (completions)');
  });

  test('a harness that looks for contamination is meant only by its full name', async () => {
    const text = `${head('lepton', 'vllm')}execution: {output_dir: o}\ndeployment: {hf_model_handle: a/b}\n${tasks('{name: ifeval}, {name: codec.ifeval}')}`;
    expect(await chosen(text)).toEqual(['lm-evaluation-harness.ifeval', 'codec.ifeval']);
  });

  test.each([
    ['the task’s own image', '{name: mmlu_pro, container: "reg.example/simple-evals:1"}', 'simple_evals.mmlu_pro'],
    ['its endpoint_type', '{name: mmlu_pro, endpoint_type: completions}', 'lm-evaluation-harness.mmlu_pro'],
    [
      'its own URL',
      '{name: mmlu_pro, nemo_evaluator_config: {target: {api_endpoint: {url: "https://o/v1/completions"}}}}',
      'lm-evaluation-harness.mmlu_pro',
    ],
  ])('%s decides', async (_name, task, expected) => {
    expect(await chosen(against('', task))).toEqual([expected]);
  });

  test('where several fit they are listed with their kinds, the fitting ones first', async () => {
    const [problem] = await problems(against('', '{name: mmlu_pro}'));
    expect(problem?.hint).toBe(
      'write one of: lm-evaluation-harness.mmlu_pro (completions), simple_evals.mmlu_pro (chat)',
    );
    const [other] = await problems(against('/embeddings', '{name: ifeval}'));
    expect(other?.hint).toContain('lm-evaluation-harness.ifeval (chat)');
  });

  test('a listed task in an image of its own takes the endpoint that its user gives', async () => {
    const task = (more: string) => `{name: hellaswag, endpoint_type: chat${more}}`;
    expect((await problems(against('', task('')))).map(({ path }) => path)).toEqual([
      'evaluation.tasks.0.endpoint_type',
    ]);
    const { plan: run } = await plan(against('', task(', container: "r/i:1"')));
    expect(scriptOf(run.tasks[0]?.job.container.command)).toContain('type: chat');
  });

  test('an unlisted task is told what it needs', async () => {
    const [problem] = await problems(against('', '{name: suite.task, container: "r/i:1"}'));
    expect(problem?.hint).toContain('NEMO_EVALUATOR_TRUST_UNLISTED_TASKS=1');
    expect(problem?.hint).toContain('endpoint_type');
  });
});

describe("a task's own endpoint", () => {
  const two = (target: string, common: string): string =>
    `${head('lepton')}execution: {output_dir: o}\ntarget: {api_endpoint: {${common}}}\nevaluation:\n  tasks:\n    - name: mmlu_instruct\n    - name: winogrande\n      nemo_evaluator_config: {target: {api_endpoint: {${target}}}}\n`;
  const common = 'url: "http://10.0.0.5/v1/chat/completions", model_id: m';

  test('is what its job asks, and what the checks look at', async () => {
    const { plan: run } = await plan(two('url: "http://10.0.0.6/v1/completions", model_id: n', common));
    expect(scriptOf(run.tasks[1]?.job.container.command)).toContain('url: http://10.0.0.6/v1/completions');
    const [problem] = await problems(two('url: "http://10.0.0.6/v1/chat/completions"', common));
    expect(problem?.message).toContain('but its own URL takes chat requests');
  });

  test('may be a base URL, which is completed', async () => {
    const { plan: run } = await plan(two('url: "http://10.0.0.6/v1"', common));
    expect(scriptOf(run.tasks[1]?.job.container.command)).toContain('url: http://10.0.0.6/v1/completions');
  });

  test('makes a common one unnecessary when every task has one', async () => {
    const text = two('url: "http://h/v1/completions", model_id: n', '').replace('    - name: mmlu_instruct\n', '');
    expect((await plan(text)).plan).toMatchObject({
      endpoint: { url: 'http://h/v1/completions', probe: { servedModel: 'n' } },
    });
  });
});
