import { migrated, stable } from './migrated';

const local = (rest: string, deployment = 'none'): string =>
  `defaults: [execution: local, deployment: ${deployment}, _self_]\n${rest}`;
const tasks = 'evaluation: {tasks: [{name: mmlu_instruct}]}\n';
const output = 'execution: {output_dir: results}\n';

describe('the endpoint', () => {
  const vllm = (deployment: string, execution = ''): string =>
    `defaults: [execution: slurm/default, deployment: vllm, _self_]\nexecution: {output_dir: r${execution}}\ndeployment: {hf_model_handle: org/model${deployment}}\n${tasks}`;

  test.each([
    ['as many GPUs as the parallel sizes say', ', tensor_parallel_size: 2, data_parallel_size: 2', '', 'gpu.4xh200'],
    ["the preset's eight GPUs where the file says nothing", '', '', 'gpu.8xh200'],
    ['a shape that has at least as many', ', tensor_parallel_size: 3', '', 'gpu.4xh200'],
  ])('has %s', async (_case, deployment, execution, shape) => {
    const { text, open } = await stable(vllm(deployment, execution));
    expect([text, open]).toEqual([expect.stringContaining(`resource_shape: ${shape}`), []]);
  });

  test('with one GPU the default shape needs no key', async () => {
    expect((await stable(vllm(', tensor_parallel_size: 1'))).text).not.toContain('resource_shape');
  });

  test('more than a node has is a question', async () => {
    const { open } = await stable(vllm(', tensor_parallel_size: 8, pipeline_parallel_size: 2', ', num_nodes: 2'));
    expect(open).toEqual([{ line: 3, message: expect.stringContaining('16 GPUs') }]);
  });

  test('instances become replicas', async () => {
    const { text } = await stable(vllm(', tensor_parallel_size: 8', ', num_nodes: 3, num_instances: 3'));
    expect(text).toMatch(/min_replicas: 3, max_replicas: 3/);
    expect(text).not.toContain('num_');
  });

  test('variables at the top reach the server too', async () => {
    const { text } = await stable(`${vllm(', tensor_parallel_size: 1')}env_vars: {HF_TOKEN: host:HF_TOKEN}\n`);
    expect(text).toContain(
      'deployment: {hf_model_handle: org/model, tensor_parallel_size: 1, env_vars: {HF_TOKEN: host:HF_TOKEN}}',
    );
  });

  test('a folder of weights is mounted from a volume, and what is to copy is marked', async () => {
    const { text, open } = await stable(
      vllm(', tensor_parallel_size: 1').replace('hf_model_handle: org/model', 'checkpoint_path: /lustre/model'),
    );
    expect(text).toContain('mounts: {enabled: true, cache_path: /lustre/model, mount_path: /lustre/model}');
    expect(open).toEqual([{ line: 3, message: expect.stringContaining('copy /lustre/model') }]);
  });

  test('a URL beside a deployment goes; the name of the model stays', async () => {
    const { text } = await stable(
      `${vllm(', tensor_parallel_size: 1')}target: {api_endpoint: {url: "http://x/v1", model_id: name, api_key_name: KEY}}\n`,
    );
    expect(text).toContain('target: {api_endpoint: {api_key_name: KEY}}');
    expect(text).toContain('served_model_name: name');
  });
});

test.each([
  ['api_key: MY_KEY', 'api_key_name: MY_KEY'],
  ['api_key: "${oc.env:MY_KEY}"', 'api_key_name: MY_KEY'],
  ['api_key: $MY_KEY', 'api_key_name: MY_KEY'],
  ['api_key: MY_KEY, api_key_name: OTHER_KEY', 'api_key_name: OTHER_KEY'],
])('the key of an endpoint: %s', async (before, after) => {
  const { text } = await stable(
    local(`${output}target: {api_endpoint: {url: "https://h/v1", model_id: m, ${before}}}\n${tasks}`),
  );
  expect(text.replaceAll('"', '')).toContain(`model_id: m, ${after}}`);
});

test('a key itself stays where it is, is marked, and is never shown', async () => {
  const key = `nvapi-${'a1B2'.repeat(8)}`;
  const { text, open, changes } = await stable(
    local(`${output}target: {api_endpoint: {url: "https://h/v1", model_id: m, api_key: ${key}}}\n${tasks}`),
  );
  expect(text).toContain(key);
  expect(open).toHaveLength(1);
  expect(JSON.stringify([open, changes])).not.toContain(key);
});

test('problems that only follow from unset variables are notes', async () => {
  const { open, notes } = await stable(
    local(
      `execution: {output_dir: "\${oc.env:OUT}"}\ntarget: {api_endpoint: {url: "\${oc.env:URL}", model_id: ???}}\n${tasks}`,
    ),
  );
  expect(open).toEqual([]);
  expect(notes).toEqual([
    'still to be set (`???`): target.api_endpoint.model_id',
    'set these variables before a start: OUT, URL',
  ]);
});

test('text that is no YAML mapping is refused with its place', async () => {
  await expect(migrated('a: [1\n')).rejects.toThrow(/run\.yaml:\d+:\d+/);
  await expect(migrated('- a\n')).rejects.toThrow('expected a mapping');
});
