/** Auxiliary deployments: judges, user models, rerankers. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { runConfigIn } from '../../../src/config/plan/read-script';
import type { RunPlan } from '../../../src/contract/plan';
import { sharedUrlPlaceholder } from '../../../src/contract/shared-urls';
import { load, plan, problems, scriptOf, type Setup } from './configs';

const env = { HF_TOKEN: 'hf_0123456789', JUDGE: 'a-judge-key' };

/** The form of the Slurm example of NeMo Evaluator Launcher: the preset in the defaults list, references as plain texts. */
const launchers = `
defaults:
  - execution: slurm/default
  - deployment: vllm
  - deployment/vllm@auxiliary_deployments.judge
  - _self_
execution: {hostname: ???, account: ???, output_dir: /out, walltime: "04:00:00", num_nodes: 1, mounts: {mount_home: false}}
deployment: {checkpoint_path: null, hf_model_handle: org/model, served_model_name: org/model, tensor_parallel_size: 8, port: 8000}
auxiliary_deployments:
  judge:
    hf_model_handle: org/judge
    served_model_name: org/judge
    port: 8001
    num_nodes: 1
    env_vars: {HF_TOKEN: host:HF_TOKEN}
evaluation:
  nemo_evaluator_config:
    config:
      params:
        extra:
          judge: {url: auxiliary_deployments.judge.chat_url, model_id: auxiliary_deployments.judge.model_id, backend: openai}
  tasks: [{name: AIME_2025}, {name: AIME_2024}]
`;

/** Keys of `auxiliary_deployments`, of `params.extra`, and of tasks. */
const judged = (auxiliary: string, extra: string, tasks = '[{name: AIME_2025}]', more = ''): string =>
  `defaults: [execution: lepton, deployment: vllm, _self_]\nexecution: {output_dir: out${more}}\ndeployment: {hf_model_handle: org/model}\n` +
  `auxiliary_deployments: ${auxiliary}\nevaluation: {nemo_evaluator_config: {config: {params: {extra: ${extra}}}}, tasks: ${tasks}}\n`;

const vllm = '{type: vllm, hf_model_handle: org/judge}';
const asked = '{judge: {url: auxiliary_deployments.judge.chat_url, model_id: auxiliary_deployments.judge.model_id}}';

const planned = async (text: string, setup: Setup = {}): Promise<RunPlan> => (await plan(text, { env, ...setup })).plan;

const extraOf = ({ tasks }: RunPlan, at = 0): unknown =>
  (parse(runConfigIn(tasks[at]?.job.container.command) ?? '') as { config: { params: { extra: unknown } } }).config
    .params.extra;
const jobEnv = ({ tasks }: RunPlan, name: string, at = 0) => tasks[at]?.job.envs.find((entry) => entry.name === name);

test("the form of the launcher's own example: one judge for both tasks, with its own token", async () => {
  const run = await planned(launchers, { executor: 'lepton' });
  const [judge, ...others] = run.sharedEndpoints ?? [];
  expect(others).toEqual([]);
  expect(judge).toMatchObject({
    name: 'judge',
    endpointName: 'vllm-judge-e0-843b6c12',
    folder: 'endpoint-judge',
    endpoint: {
      kind: 'dedicated',
      spec: {
        container: {
          ports: [{ container_port: 8001 }],
          command: expect.arrayContaining(['org/judge', '--port=8001', '--served-model-name=org/judge']),
        },
        envs: expect.arrayContaining([{ name: 'HF_TOKEN', secret: { kind: 'host', name: 'HF_TOKEN' } }]),
        apiTokens: [{ kind: 'made' }],
      },
      probe: { servedModel: 'org/judge', healthPath: '/health', warmUp: 'chat', token: { kind: 'made' } },
    },
  });
  for (const [at, task] of run.tasks.entries()) {
    expect(task.uses).toEqual([
      {
        endpoint: 0,
        variables: expect.objectContaining({ JUDGE_CHAT_URL: '/v1/chat/completions', JUDGE_BASE_URL: '/v1' }),
      },
    ]);
    expect(extraOf(run, at)).toMatchObject({ judge: { url: '***', model_id: 'org/judge', backend: 'openai' } });
    const script = scriptOf(task.job.container.command);
    expect(script).toContain('printf %s "${JUDGE_CHAT_URL:?}"');
    expect(jobEnv(run, 'JUDGE_MODEL_ID', at)).toEqual({ name: 'JUDGE_MODEL_ID', value: 'org/judge' });
    expect(jobEnv(run, 'JUDGE_API_KEY', at)).toEqual({
      name: 'JUDGE_API_KEY',
      secret: { kind: 'workspace', name: 'evalsaga-843b6c12a0b1c2d3-vllm-judge-e0-843b6c12' },
    });
  }
});

test('only tasks that refer to it wait for it; with -t, one that no task uses is not deployed', async () => {
  const tasks = `[{name: AIME_2025, nemo_evaluator_config: {config: {params: {extra: ${asked}}}}}, {name: AIME_2024, env_vars: {JUDGE_API_KEY: host:JUDGE}}]`;
  const text = judged(`{judge: ${vllm}}`, '{}', tasks);
  const run = await planned(text);
  expect(run.tasks.map(({ uses }) => uses?.length)).toEqual([1, undefined]);
  expect(jobEnv(run, 'JUDGE_MODEL_ID', 1)).toBeUndefined();
  expect((await planned(text, { tasks: ['AIME_2024'] })).sharedEndpoints).toBeUndefined();
});

test('the key goes to the variable that the parameters name; a key that the jobs are given opens the judge', async () => {
  const named = await planned(judged(`{judge: ${vllm}}`, asked.replace('}}', ', api_key: OTHER_KEY}}')));
  expect(jobEnv(named, 'OTHER_KEY')).toMatchObject({ secret: { kind: 'workspace' } });
  // Where no default names one, it is written into the parameters.
  const task = '[{name: mtbench.mtbench}]';
  const filled = await planned(judged(`{judge: ${vllm}}`, asked, task));
  expect(extraOf(filled)).toMatchObject({ judge: { api_key_name: 'JUDGE_API_KEY' } });
  const given = await planned(
    judged(`{judge: ${vllm}}`, asked, '[{name: AIME_2025, env_vars: {JUDGE_API_KEY: host:JUDGE}}]'),
  );
  const host = { kind: 'host', name: 'JUDGE' };
  expect(given.sharedEndpoints?.[0]?.endpoint).toMatchObject({ spec: { apiTokens: [host] }, probe: { token: host } });
  expect(jobEnv(given, 'JUDGE_API_KEY')).toEqual({ name: 'JUDGE_API_KEY', secret: host });
});

test('an existing judge is only tried: its URL is filled in at once', async () => {
  const existing = '{type: none, url: "https://judge.example/v1", model_id: j, api_key_name: JUDGE}';
  const run = await planned(judged(`{judge: ${existing}}`, asked));
  expect(run.sharedEndpoints).toMatchObject([
    { endpointName: null, endpoint: { kind: 'existing', url: 'https://judge.example/v1/chat/completions' } },
  ]);
  expect(extraOf(run)).toEqual({ judge: { url: 'https://judge.example/v1/chat/completions', model_id: 'j' } });
  expect(jobEnv(run, 'JUDGE_API_KEY')).toEqual({ name: 'JUDGE_API_KEY', secret: { kind: 'host', name: 'JUDGE' } });
});

test('references work in variables and shell lines, and with braces', async () => {
  const run = await planned(
    judged(
      `{judge: ${vllm}}`,
      '{judge: {url: "${auxiliary_deployments.judge.base_url}"}}',
      '[{name: AIME_2025, env_vars: {J: "lit:at auxiliary_deployments.judge.chat_url"}, pre_cmd: "echo auxiliary_deployments.judge.model_id ${auxiliary_deployments.judge.chat_url}"}]',
    ),
    { env: { ...env, NEMO_EVALUATOR_TRUST_PRE_CMD: '1' } },
  );
  expect(jobEnv(run, 'J')).toEqual({ name: 'J', value: `at ${sharedUrlPlaceholder('JUDGE_CHAT_URL')}` });
  const script = scriptOf(run.tasks[0]?.job.container.command);
  expect(script).toContain('echo org/judge ');
  expect(script).toContain('printf %s "${JUDGE_BASE_URL:?}"');
});

test('shared endpoints count: in max_parallel_endpoints, and in the budget', async () => {
  const budget = ', max_parallel_endpoints: 3, budget: {limit: 9, prices: {gpu.1xh200: 2, gpu.2xh200: 5}}';
  const two = '{type: vllm, hf_model_handle: org/judge, lepton_config: {resource_shape: gpu.2xh200, max_replicas: 2}}';
  const run = await planned(judged(`{judge: ${two}}`, asked, undefined, budget));
  expect([run.maxParallelEndpoints, run.sharedEndpoints?.[0]?.endpointPerHour]).toEqual([2, 10]);
  const tooFew = judged(`{judge: ${vllm}}`, asked, undefined, ', max_parallel_endpoints: 1');
  expect(await problems(tooFew, { env })).toMatchObject([{ path: 'execution.max_parallel_endpoints' }]);
});

test('mistakes are named: a wrong name or field, one that nobody uses, keys of its type, a replica over nodes', async () => {
  const wrong = '{a: auxiliary_deployments.jugde.chat_url, b: auxiliary_deployments.judge.chat}';
  const two = `{judge: {type: vllm, hf_model_handle: org/judge, foo: 1}, idle: ${vllm}}`;
  const found = await problems(judged(two, wrong), { env });
  expect(found.map(({ path: at, message }) => `${at}: ${message}`)).toEqual(
    expect.arrayContaining([
      expect.stringContaining('extra.a: there is no `auxiliary_deployments.jugde`'),
      expect.stringContaining('extra.b: `auxiliary_deployments.judge` has no `chat`'),
      expect.stringContaining('auxiliary_deployments.judge.foo'),
      'auxiliary_deployments.idle: no task refers to it, so it would run for nothing',
    ]),
  );
  const parallel =
    '{type: vllm, hf_model_handle: org/judge, tensor_parallel_size: 4, num_nodes: 2, lepton_config: {resource_shape: gpu.2xh200}}';
  expect(await problems(judged(`{judge: ${parallel}}`, asked), { env })).toMatchObject([
    { path: 'auxiliary_deployments.judge.num_nodes' },
    {
      path: 'auxiliary_deployments.judge.tensor_parallel_size',
      hint: expect.stringContaining('auxiliary_deployments.judge.lepton_config.resource_shape'),
    },
  ]);
});

test('the example plans, and its spec has the judge', async () => {
  const text = readFileSync(path.resolve('examples', 'lepton_vllm_judge.yaml'), 'utf8');
  const run = await planned(text);
  expect(run.sharedEndpoints).toMatchObject([{ name: 'judge' }]);
  expect((await load(text, { env })).warnings).toEqual([]);
});
