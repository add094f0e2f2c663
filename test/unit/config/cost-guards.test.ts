/** Guards against cost: those that work even if nothing is left to clean up, and budgets. */
import { plan, problems, runnable, scriptOf } from './configs';

const dedicated = {
  vllm: runnable(),
  sglang: runnable().replace('deployment: vllm', 'deployment: sglang'),
  trtllm: runnable()
    .replace('deployment: vllm', 'deployment: trtllm')
    .replace('hf_model_handle: org/model', 'checkpoint_path: /models/m'),
  nim: runnable()
    .replace('deployment: vllm', 'deployment: nim')
    .replace('hf_model_handle: org/model', 'image: nvcr.io/nim/org/model:1\n  served_model_name: org/model'),
  generic: runnable()
    .replace('deployment: vllm', 'deployment: generic')
    .replace('hf_model_handle: org/model', 'image: org/server:1\n  served_model_name: org/model\n  command: serve'),
};

describe.each(Object.entries(dedicated))('deployment: %s', (_type, text) => {
  test('endpoints scale to zero without traffic; jobs have a time limit and are deleted after they finish', async () => {
    const { plan: run } = await plan(text);
    expect(run.endpoint).toMatchObject({
      spec: { body: { auto_scaler: { scale_down: { no_traffic_timeout: 3600 } } } },
    });
    for (const { job } of run.tasks) {
      expect(job.body['ttl_seconds_after_finished']).toBe(86_400);
      expect(scriptOf(job.container.command)).toContain('timeout -k 60 3600');
    }
  });

  test('a budget uses the price of the shape', async () => {
    const shape = 'gpu.4xh100-80gb';
    const { plan: run } = await plan(text, {
      overrides: [
        `deployment.lepton_config.resource_shape=${shape}`,
        `execution.budget={limit: 25.5, prices: {${shape}: 3.5}}`,
        'deployment.lepton_config.max_replicas=2',
      ],
    });
    expect(run.budget).toEqual({ limit: 25.5, currency: 'USD', endpointPerHour: 7, jobPerHour: 0 });
  });
});

const budget = (text: string): string =>
  runnable().replace('output_dir: ./out\n', `output_dir: ./out\n  budget: ${text}\n`);

test('without a budget, costs are not counted', async () => {
  expect((await plan(runnable())).plan.budget).toBeNull();
});

test.each([
  [
    'a shape without a price',
    '{limit: 5, prices: {gpu.8xh200: 3}}',
    'execution.budget.prices',
    /no price for the shape gpu\.1xh200/,
  ],
  ['no limit', '{prices: {gpu.1xh200: 3}}', 'execution.budget.limit', /number/],
  ['a limit of zero', '{limit: 0, prices: {gpu.1xh200: 3}}', 'execution.budget.limit', /above zero/],
  ['a negative price', '{limit: 5, prices: {gpu.1xh200: -3}}', 'execution.budget.prices.gpu.1xh200', /at least 0/],
  ['an unknown key', '{limit: 5, price: {gpu.1xh200: 3}}', 'execution.budget.price', /no key/],
])('%s is refused with its place', async (_case, text, path, message) => {
  const found = await problems(budget(text));
  expect(found).toContainEqual(expect.objectContaining({ path, message: expect.stringMatching(message) }));
});

test('jobs on a GPU shape, or against an existing endpoint, must have a price too', async () => {
  const [gpu] = await problems(budget('{limit: 5, prices: {gpu.1xh200: 3}}'), {
    overrides: ['execution.evaluation_tasks.resource_shape=gpu.a10'],
  });
  expect(gpu?.message).toContain('gpu.a10');
  const priced = await plan(budget('{limit: 5, prices: {gpu.1xh200: 3, cpu.small: 0.2}}'));
  expect(priced.plan.budget?.jobPerHour).toBe(0.2);
});
