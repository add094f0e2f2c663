/** `deployment.sharing`: one endpoint, or a few, for several tasks of a model. */
import { sharingChoices } from '../../../src/cli/render/sharing-choices';
import type { RunPlan } from '../../../src/contract/plan';
import { plan, problems } from './configs';

const config = (sharing: string, { tasks = 5, execution = '', more = '' } = {}): string =>
  `defaults: [execution: lepton, deployment: vllm, _self_]\nexecution: {output_dir: out${execution}}\n` +
  `deployment: {hf_model_handle: org/model, sharing: ${sharing}, lepton_config: {resource_shape: gpu.2xh200}}\n${more}` +
  `evaluation: {tasks: [${Array.from({ length: tasks }, () => '{name: lm-evaluation-harness.ifeval}').join(', ')}]}\n`;

const planned = async (text: string): Promise<RunPlan> => (await plan(text)).plan;
const positionsIn = ({ tasks }: RunPlan) => tasks.map(({ uses }) => uses?.map(({ endpoint }) => endpoint));

test('each task has its own by default; a pool that is not smaller than the tasks is the same', async () => {
  for (const sharing of ['per_task', 'pool:5', 'pool:9']) {
    const run = await planned(config(sharing));
    expect(run.sharedEndpoints).toBeUndefined();
    expect(run.tasks.every(({ endpointName, uses }) => endpointName !== null && uses === undefined)).toBe(true);
  }
});

test('shared: all tasks use one endpoint, and their jobs get its key', async () => {
  const run = await planned(config('shared', { execution: ', budget: {limit: 9, prices: {gpu.2xh200: 5}}' }));
  const name = 'vllm-shared-e0-843b6c12';
  expect(run.sharedEndpoints).toMatchObject([
    { name: 'model', endpointName: name, folder: 'endpoint-e0-model', endpoint: run.endpoint, endpointPerHour: 5 },
  ]);
  for (const task of run.tasks) {
    expect(task).toMatchObject({ endpointName: null, endpointPerHour: 0, endpointPath: '/v1/chat/completions' });
    expect(task.uses).toEqual([{ endpoint: 0, variables: {}, servesModel: name }]);
    expect(task.job.envs).toContainEqual({
      name: 'EVALSAGA_API_KEY',
      secret: { kind: 'workspace', name: `evalsaga-843b6c12a0b1c2d3-${name}` },
    });
  }
});

test('pool:N: the tasks of each model take its endpoints in turn, beside judges', async () => {
  const pooled = await planned(config('pool:2'));
  expect(positionsIn(pooled)).toEqual([[0], [1], [0], [1], [0]]);
  expect(pooled.sharedEndpoints?.map(({ name }) => name)).toEqual(['model-0', 'model-1']);
  const models = await planned(
    config('shared', {
      tasks: 2,
      more: 'models: {a: {deployment: {hf_model_handle: org/a}}, b: {deployment: {hf_model_handle: org/b}}}\n',
    }),
  );
  expect(positionsIn(models)).toEqual([[0], [0], [1], [1]]);
  expect(models.sharedEndpoints?.map(({ name, endpoint }) => [name, endpoint.probe.servedModel])).toEqual([
    ['a', 'org/a'],
    ['b', 'org/b'],
  ]);
});

test('max_parallel_endpoints counts endpoints: tasks that share need no places', async () => {
  const run = await planned(config('pool:2', { execution: ', max_parallel_endpoints: 2' }));
  expect(run.maxParallelEndpoints).toBeNull();
  const few = config('pool:3', { execution: ', max_parallel_endpoints: 2' });
  expect(await problems(few)).toMatchObject([{ path: 'execution.max_parallel_endpoints' }]);
  expect(await problems(config('pool:0'))).toMatchObject([{ path: 'deployment.sharing' }]);
});

test('a dry run compares the choices', async () => {
  expect(sharingChoices(await planned(config('per_task', { execution: ', max_parallel_endpoints: 4' })))).toEqual({
    sharing: {
      per_task: { endpoints: 5, at_once: 4, gpus_at_once: 8 },
      shared: { endpoints: 1, at_once: 1, gpus_at_once: 2 },
      'pool:2': { endpoints: 2, at_once: 2, gpus_at_once: 4 },
    },
  });
  expect(sharingChoices(await planned(config('per_task', { tasks: 1 })))).toEqual({});
});
