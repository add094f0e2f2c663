/** Variables that tasks need. */
import { ConfigError, planRun } from '../../../src/config';
import type { ConfigProblem } from '../../../src/config';
import { deploying, load, type Setup, invocation } from './configs';

const lepton = { kind: 'lepton', workspace: 'w', url: 'https://w' } as const;
const local = { kind: 'local', workspace: 'local' } as const;

async function found(
  tasks: string,
  {
    evaluation = '',
    platform = lepton,
    ...setup
  }: Setup & { evaluation?: string; platform?: typeof lepton | typeof local } = {},
): Promise<readonly ConfigProblem[]> {
  const config = deploying('vllm', '{hf_model_handle: org/m}', tasks).replace(
    'evaluation: {',
    `evaluation: {${evaluation}`,
  );
  const loaded = await load(config, setup);
  try {
    planRun(loaded, { invocation, platform, owner: 'me', command: 'start', cwd: '/work' });
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

const judged = 'simple_evals.AIME_2025';
const gated = 'lm-evaluation-harness.gpqa_diamond_cot';

test("a missing judge's key is reported once for all tasks, before anything is created", async () => {
  expect(await found(`[{name: ${judged}}, {name: simple_evals.AA_AIME_2024}, {name: hellaswag}]`)).toMatchObject([
    {
      path: 'evaluation.tasks.0.name',
      message: expect.stringMatching(/needs the variable JUDGE_API_KEY.*1 more/),
      hint: expect.stringContaining('JUDGE_API_KEY: host:JUDGE_API_KEY'),
    },
  ]);
});

test.each([
  ['of the evaluation', 'env_vars: {JUDGE_API_KEY: host:K}, ', {}],
  ['by name', '', { overrides: ['execution.env_var_names=[JUDGE_API_KEY]'], env: { JUDGE_API_KEY: 'k' } }],
  [
    'of the workspace',
    '',
    { overrides: ['+execution.lepton_platform.tasks.env_vars.JUDGE_API_KEY={value_from:{secret_name_ref:S}}'] },
  ],
  ['of all jobs', '', { overrides: ['+env_vars.JUDGE_API_KEY=host:K'] }],
  ['of the container', 'env_vars: {JUDGE_API_KEY: runtime:OTHER}, ', {}],
  ['set by pre_cmd', 'pre_cmd: "export JUDGE_API_KEY=$OTHER", ', { env: { NEMO_EVALUATOR_TRUST_PRE_CMD: '1' } }],
])("a judge's key %s is one", async (_where, evaluation, setup) => {
  expect(await found(`[{name: ${judged}}]`, { evaluation, env: { K: 'k' }, ...setup })).toEqual([]);
});

test("a judge's key with another name is required under that name; without a judge none is", async () => {
  const extra = (judge: string) =>
    `[{name: ${judged}, nemo_evaluator_config: {config: {params: {extra: {judge: ${judge}}}}}}]`;
  expect(await found(extra('{api_key: MY_JUDGE}'))).toMatchObject([{ message: expect.stringContaining('MY_JUDGE') }]);
  expect(await found(extra('{api_key: null}'))).toEqual([]);
});

test('a disabled judge needs no key, but the simulated user does', async () => {
  const tau = 'tau2_bench.tau2_bench_airline';
  expect(await found(`[{name: ${tau}}]`)).toMatchObject([{ message: expect.stringContaining('USER_API_KEY') }]);
  const on = `[{name: ${tau}, nemo_evaluator_config: {config: {params: {extra: {judge: {enabled: true}}}}}}]`;
  expect(await found(on, { evaluation: 'env_vars: {USER_API_KEY: host:K}, ', env: { K: 'k' } })).toMatchObject([
    { message: expect.stringContaining('JUDGE_API_KEY') },
  ]);
});

test("the endpoint's key counts if it has the name", async () => {
  const same = {
    overrides: ['+target.api_endpoint.api_key_name=JUDGE_API_KEY'],
    env: { JUDGE_API_KEY: 'a-key-of-both' },
  };
  expect(await found(`[{name: ${judged}}]`, same)).toEqual([]);
});

test('gated data needs a token of the hub, unless the data is available already', async () => {
  expect(await found(`[{name: ${gated}}]`)).toMatchObject([
    { path: 'evaluation.tasks.0.name', message: expect.stringContaining('HF_TOKEN') },
  ]);
  const env = { T: 't' };
  expect(await found(`[{name: ${gated}, env_vars: {HF_TOKEN: host:T}}]`, { env })).toEqual([]);
  expect(await found(`[{name: ${gated}, env_vars: {HF_HUB_OFFLINE: lit:1}}]`)).toEqual([]);
  expect(await found(`[{name: ${gated}, dataset_dir: /data}]`)).toEqual([]);
  expect(await found(`[{name: ${gated}, container: me/own:1}]`)).toEqual([]);
  expect(await found(`[{name: ${gated}}]`, { platform: local })).toEqual([]);
});
