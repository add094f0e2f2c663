/** Several models in one run, and tasks whose deployment differs. */
import { planIn, runArguments } from '../../../src/contract/run-arguments';
import { endpointOf } from '../../../src/contract/endpoint-plans';
import { costAt, estimateCost } from '../../../src/contract/cost';
import { pendingTask } from '../../../src/contract/state';
import { planFormat } from '../../../src/home/plan-file';
import type { EndpointPlan, RunPlan } from '../../../src/contract/plan';
import { renderProblem, showConfig } from '../../../src/config';
import { runConfigIn } from '../../../src/config/plan/read-script';
import { invocation, load, plan, problems, runnable } from './configs';

const matrix = (models: string, more = ''): string => `
defaults:
  - execution: lepton
  - deployment: vllm
  - _self_
execution:
  output_dir: out
${more}
deployment:
  lepton_config:
    resource_shape: gpu.1xa100
models:
${models
  .trim()
  .split('\n')
  .map((line) => `  ${line}`)
  .join('\n')}
evaluation:
  tasks:
    - name: lm-evaluation-harness.ifeval
    - name: hellaswag
`;

const two = `
base: {deployment: {hf_model_handle: org/base}}
tuned: {deployment: {hf_model_handle: org/tuned, extra_args: --enforce-eager}}
`;

const spec = (endpoint: EndpointPlan) => {
  if (endpoint.kind !== 'dedicated') throw new Error('expected a dedicated endpoint');
  return endpoint.spec;
};

const rows = (run: RunPlan) =>
  run.tasks.map((task) => [task.index, task.name, task.model, endpointOf(run, task).probe.servedModel]);

test('every model is evaluated on every task, with names of its own', async () => {
  const { plan: run } = await plan(matrix(two));
  expect(rows(run)).toEqual([
    [0, 'base/lm-evaluation-harness.ifeval', 'base', 'org/base'],
    [1, 'base/hellaswag', 'base', 'org/base'],
    [2, 'tuned/lm-evaluation-harness.ifeval', 'tuned', 'org/tuned'],
    [3, 'tuned/hellaswag', 'tuned', 'org/tuned'],
  ]);
  expect(run.tasks.map(({ folder }) => folder)).toEqual([
    '0-base-ifeval',
    '1-base-hellaswag',
    '2-tuned-ifeval',
    '3-tuned-hellaswag',
  ]);
  expect(run.tasks.map(({ endpointName }) => endpointName)).toEqual([
    'base-ifeval-0-843b6c12',
    'base-hellaswag-1-843b6c12',
    'tuned-ifeval-2-843b6c12',
    'tuned-hellaswag-3-843b6c12',
  ]);
  expect(new Set(run.tasks.map(({ jobName }) => jobName)).size).toBe(4);
  expect(run.model).toBe('org/base, org/tuned');
  const command = spec(endpointOf(run, run.tasks[2] ?? {})).container.command?.join(' ');
  expect(command).toContain('vllm serve org/tuned');
  expect(command).toContain('--enforce-eager');
  expect(spec(run.endpoint).container.command?.join(' ')).not.toContain('--enforce-eager');
});

test('-t and --model select, and the rest is numbered anew', async () => {
  const chosen = await plan(matrix(two), { tasks: ['hellaswag'], models: ['tuned'] });
  expect(rows(chosen.plan)).toEqual([[0, 'tuned/hellaswag', 'tuned', 'org/tuned']]);
  expect(chosen.plan.model).toBe('org/tuned');
  expect(chosen.plan.tasks[0]?.endpoint).toBeUndefined();
  const [unknown] = await problems(matrix(two), { models: ['tunde'] });
  expect(unknown && renderProblem(unknown)).toMatch(/--model tunde.*no model of this name\n.*did you mean `tuned`\?/);
  const [none] = await problems(runnable(), { models: ['tuned'] });
  expect(none?.message).toMatch(/no `models` to choose from/);
});

test('models are served in different ways: another type begins with its own preset', async () => {
  const { plan: run } = await plan(
    matrix(`
own: {deployment: {hf_model_handle: org/base}}
sg: {deployment: {type: sglang, hf_model_handle: org/base, served_model_name: sg, lepton_config: {resource_shape: gpu.2xh100}}}
api:
  deployment: {type: none}
  target: {api_endpoint: {url: 'https://user:a-long-password@api.example/v1', model_id: big}}
  nemo_evaluator_config: {config: {params: {parallelism: 3}}}
  env_vars: {LEVEL: lit:high}
`),
    { tasks: ['lm-evaluation-harness.ifeval'] },
  );
  expect(rows(run).map(([, , model, served]) => [model, served])).toEqual([
    ['own', 'org/base'],
    ['sg', 'sg'],
    ['api', 'big'],
  ]);
  const [, sg, api] = run.tasks;
  expect(sg && spec(endpointOf(run, sg)).container.command?.join(' ')).toMatch(/sglang.*--tp=2/);
  expect(api?.endpointName).toBeNull();
  expect(api && endpointOf(run, api).kind).toBe('existing');
  expect(api?.job.envs).toContainEqual({ name: 'LEVEL', value: 'high' });
  expect(JSON.stringify(run)).not.toContain('a-long-password');
});

test('what is wrong with a model is said of that model', async () => {
  const found = await problems(
    matrix(`
a: {deployment: {hf_model_handle: org/a, tensor_parallel_size: 4}}
b: {deployment: {hf_model_handle: org/b, imagee: x}}
c: {deployment: {served_model_name: c}}
d/e: {deployment: {hf_model_handle: org/d}}
f: {deployment: {type: none}}
`),
  );
  expect(found.map(({ path }) => path).sort()).toEqual([
    'models.a.deployment.tensor_parallel_size',
    'models.b.deployment.imagee',
    'models.c.deployment.checkpoint_path',
    'models.d/e',
    'models.f.target.api_endpoint.model_id',
    'models.f.target.api_endpoint.url',
  ]);
  expect(found.find(({ path }) => path === 'models.b.deployment.imagee')).toMatchObject({
    file: 'config.yaml',
    line: 14,
  });
});

const own = (deployment: string): string => `
defaults:
  - execution: lepton
  - deployment: vllm
  - _self_
execution: {output_dir: out, budget: {limit: 5, prices: {gpu.1xa100: 2, gpu.4xa100: 8}}}
deployment:
  hf_model_handle: org/model
  lepton_config: {resource_shape: gpu.1xa100}
evaluation:
  tasks:
    - name: hellaswag
    - name: lm-evaluation-harness.ifeval
      deployment: ${deployment}
    - name: winogrande
`;

test('the deployment of a task differs in what it says, and costs what it costs', async () => {
  const { plan: run } = await plan(
    own(
      '{image: "vllm/vllm-openai:v0.9", extra_args: --max-model-len 65536, lepton_config: {resource_shape: gpu.4xa100, max_replicas: 2}}',
    ),
  );
  expect(run.tasks.map(({ index, name, endpointPerHour }) => [index, name, endpointPerHour])).toEqual([
    [0, 'hellaswag', 2],
    [1, 'lm-evaluation-harness.ifeval', 16],
    [2, 'winogrande', 2],
  ]);
  const [usual, larger] = run.tasks;
  expect(larger && spec(endpointOf(run, larger)).container.image).toBe('vllm/vllm-openai:v0.9');
  expect(larger && spec(endpointOf(run, larger)).container.command?.join(' ')).toMatch(
    /--tensor-parallel-size=4.*--max-model-len 65536/,
  );
  expect(run.budget?.endpointPerHour).toBe(2);
  expect(larger?.endpointPerHour).toBe(16);
  const hour = { endpoint: { from: '2026-01-01T00:00:00Z', until: '2026-01-01T01:00:00Z' }, job: null };
  const used = [usual, larger].flatMap((task) => (task ? [{ ...pendingTask(task), usage: hour }] : []));
  expect(run.budget && costAt(used, run.budget, 0)).toBe(18);
  expect(run.budget && estimateCost(run, run.budget).perHour).toBe(20);
  expect(planFormat(invocation).schema.parse(JSON.parse(JSON.stringify(run)))).toEqual(JSON.parse(JSON.stringify(run)));
  expect(planIn(runArguments(run, { searchAttributes: false, isBatched: true }))).toEqual(
    JSON.parse(JSON.stringify(run)),
  );
});

test.each([
  ['{hf_model_handle: org/other}', 'hf_model_handle', /`models`/],
  ['{type: sglang}', 'type', /`models`/],
  ['{lepton_config: {api_tokens: [host:KEY]}}', 'lepton_config.api_tokens', /called in the same way/],
  ['{lepton_config: {max_replicas: 0}}', 'lepton_config.max_replicas', /^/],
  ['{lepton_config: {min_replicas: 3}}', 'lepton_config.min_replicas', /max_replicas/],
  ['{tensor_parallel_size: 8}', 'tensor_parallel_size', /shape/],
])('a task cannot have deployment: %s', async (deployment, key, why) => {
  const found = await problems(own(deployment));
  expect(found.map(({ path }) => path)).toEqual([`evaluation.tasks.1.deployment.${key}`]);
  expect(`${found[0]?.message ?? ''} ${found[0]?.hint ?? ''}`).toMatch(why);
});

test('nothing is deployed with `none`, not for a task either', async () => {
  const found = await problems(
    own('{image: other}')
      .replace('deployment: vllm', 'deployment: none')
      .replace(
        /deployment:\n  hf_model[^]*a100}\n/,
        'target: {api_endpoint: {url: "https://a.example/v1", model_id: m}}\n',
      ),
  );
  expect(found).toContainEqual(
    expect.objectContaining({ path: 'evaluation.tasks.1.deployment.image', hint: 'nothing is deployed with `none`' }),
  );
});

test('what the models have in common is sent once', async () => {
  const names = Array.from({ length: 30 }, (_, at) => `    - {name: hellaswag, dataset_dir: /data/${at}}`).join('\n');
  const { plan: run } = await plan(
    matrix(two).replace('    - name: lm-evaluation-harness.ifeval\n    - name: hellaswag', names),
  );
  expect(run.tasks).toHaveLength(60);
  expect(JSON.stringify(run).length).toBeGreaterThan(200_000);
  expect(JSON.stringify(runArguments(run, { searchAttributes: false })).length).toBeLessThan(60_000);
});

test('the config that is kept shows what each model gets', async () => {
  const loaded = await load(matrix(two), { models: ['tuned'] });
  const shown = showConfig(loaded);
  expect(shown).toMatch(/models:\n {2}tuned:\n {4}deployment:[^]*served_model_name: org\/tuned/);
  expect(shown).not.toContain('org/base');
});

test('models, their parts and the deployment of a task may be references to whole mappings, and what is merged over one keeps the rest', async () => {
  const text = `
defaults: [{execution: lepton}, {deployment: vllm}, _self_]
execution: {output_dir: out}
served: {base: {hf_model_handle: org/base}, long: {extra_args: --max-model-len 65536}}
zoo:
  base: {deployment: "\${served.base}"}
  tuned: {deployment: {hf_model_handle: org/tuned}, nemo_evaluator_config: {config: {params: {limit_samples: 10}}}}
models: \${zoo}
common: {config: {params: {temperature: 0.5}}}
suite: [{name: lm-evaluation-harness.ifeval, deployment: "\${served.long}"}, {name: hellaswag}]
evaluation:
  nemo_evaluator_config: \${common}
  tasks: \${suite}
`;
  const { plan: run } = await plan(text);
  expect(rows(run)).toEqual([
    [0, 'base/lm-evaluation-harness.ifeval', 'base', 'org/base'],
    [1, 'base/hellaswag', 'base', 'org/base'],
    [2, 'tuned/lm-evaluation-harness.ifeval', 'tuned', 'org/tuned'],
    [3, 'tuned/hellaswag', 'tuned', 'org/tuned'],
  ]);
  const isLong = (task: RunPlan['tasks'][number]) => JSON.stringify(spec(endpointOf(run, task))).includes('65536');
  expect(run.tasks.map(isLong)).toEqual([true, false, true, false]);
  const shown = run.tasks.map(({ job }) => runConfigIn(job.container.command) ?? '');
  expect(shown.map((config) => /temperature: 0\.5/.test(config))).toEqual([true, true, true, true]);
  expect(shown.map((config) => /limit_samples: 10/.test(config))).toEqual([false, false, true, true]);
});

test('a config over a base whose section refers to a mapping: its other values stay, and the mapping is no unknown key', async () => {
  const files = {
    'base.yaml': `
defaults: [{execution: lepton}, {deployment: vllm}, _self_]
common: {config: {params: {temperature: 0.6}}}
execution: {output_dir: out}
deployment: {hf_model_handle: org/model}
evaluation: {nemo_evaluator_config: "\${common}", tasks: [{name: hellaswag}]}
`,
  };
  const over =
    'defaults: [base, _self_]\nevaluation: {nemo_evaluator_config: {config: {params: {limit_samples: 10}}}}\n';
  const { plan: run } = await plan(over, { files });
  const shown = runConfigIn(run.tasks[0]?.job.container.command);
  expect(shown).toMatch(/temperature: 0\.6/);
  expect(shown).toMatch(/limit_samples: 10/);
});
