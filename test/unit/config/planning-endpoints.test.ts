/** Plans of endpoints that a run deploys. */
import { dedicated, deploying, problems, runnable } from './configs';

test('vllm', async () => {
  const { spec, probe } = await dedicated(
    deploying(
      'vllm',
      '{hf_model_handle: org/model, lepton_config: {resource_shape: gpu.8xh200}, extra_args: "--x \'a b\' --json \\"{}\\""}',
    ),
  );
  expect(spec.container).toEqual({
    image: 'vllm/vllm-openai:latest',
    ports: [{ container_port: 8000 }],
    command: [
      'vllm',
      'serve',
      'org/model',
      '--tensor-parallel-size=8',
      '--pipeline-parallel-size=1',
      '--data-parallel-size=1',
      '--port=8000',
      '--served-model-name=org/model',
      '--x',
      'a b',
      '--json',
      '{}',
    ],
  });
  expect(spec.envs).toEqual([
    { name: 'SERVED_MODEL_NAME', value: 'org/model' },
    { name: 'MODEL_PORT', value: '8000' },
    { name: 'MODEL_PATH', value: 'org/model' },
    { name: 'TENSOR_PARALLEL_SIZE', value: '8' },
  ]);
  expect(probe).toEqual({ servedModel: 'org/model', healthPath: '/health', warmUp: 'chat', token: { kind: 'made' } });
});

test('sglang', async () => {
  const { spec } = await dedicated(
    deploying(
      'sglang',
      '{checkpoint_path: "/mnt/AI Models/m/", port: 30000, pipeline_parallel_size: 2, lepton_config: {resource_shape: gpu.8xh200}}',
    ),
  );
  expect(spec.container.command).toEqual([
    'python3',
    '-m',
    'sglang.launch_server',
    '--model-path=/mnt/AI Models/m/',
    '--host=0.0.0.0',
    '--port=30000',
    '--served-model-name=m',
    '--tp=4',
    '--dp=1',
    '--pp-size=2',
  ]);
  expect(spec.container.ports).toEqual([{ container_port: 30000 }]);
});

test('trtllm', async () => {
  const { spec } = await dedicated(deploying('trtllm', '{hf_model_handle: org/model}'));
  expect(spec.container.image).toBe('nvcr.io/nvidia/tensorrt-llm/release:1.0.0');
  expect(spec.container.command?.slice(0, 6)).toEqual([
    'mpirun',
    '--allow-run-as-root',
    '--oversubscribe',
    'trtllm-serve',
    'serve',
    'org/model',
  ]);
});

test('nim uses its own entry point', async () => {
  const { spec, probe } = await dedicated(
    deploying('nim', '{image: nvcr.io/nim/meta/x:1.8.6, served_model_name: meta/x}'),
  );
  expect(spec.container.command).toBeUndefined();
  expect(spec.envs).toContainEqual({ name: 'NIM_MODEL_NAME', value: 'meta/x' });
  expect(probe.healthPath).toBe('/v1/health/ready');
});

test("generic runs the config's command", async () => {
  const { spec } = await dedicated(
    deploying(
      'generic',
      '{image: i:1, served_model_name: m, checkpoint_path: /m, command: "serve ${deployment.checkpoint_path} ${deployment.extra_args}", extra_args: "--a b"}',
    ),
  );
  expect(spec.container.command).toEqual(['/bin/bash', '-c', 'serve /m --a b']);
});

test("the user's command can use `base_command`", async () => {
  const { spec } = await dedicated(
    deploying('vllm', '{hf_model_handle: org/model, command: "${deployment.base_command} --more"}'),
  );
  expect(spec.container.command?.[2]).toMatch(/^vllm serve org\/model --tensor-parallel-size=1 .* --more$/);
});

test('the smallest config: a model id and a served name', async () => {
  const text =
    deploying('vllm', '{type: vllm, model_id: meta-llama/Llama-3.1-8B-Instruct}', '[{name: hellaswag}]') +
    'target: {api_endpoint: {model_id: meta/llama-3.1-8b-instruct}}\n';
  const { spec, run } = await dedicated(text);
  expect(run.model).toBe('meta/llama-3.1-8b-instruct');
  expect(spec.container.command?.slice(2)).toEqual([
    'meta-llama/Llama-3.1-8B-Instruct',
    '--tensor-parallel-size=1',
    '--pipeline-parallel-size=1',
    '--data-parallel-size=1',
    '--port=8000',
    '--served-model-name=meta/llama-3.1-8b-instruct',
  ]);
  expect(spec.body).toMatchObject({
    resource_requirement: { resource_shape: 'gpu.1xh200', min_replicas: 1, max_replicas: 1 },
    auto_scaler: { scale_down: { no_traffic_timeout: 3600 } },
  });
});

test('platform defaults are merged key by key, lists are replaced', async () => {
  const { spec } = await dedicated(
    runnable(
      '  lepton_config: {health: {liveness: {initial_delay_seconds: 5}}, auto_scaler: {target_gpu_utilization_percentage: 50}}\n',
    ),
    {
      overrides: [
        'execution.lepton_platform.deployment.platform_defaults.image_pull_secrets=[a,b]',
        '+execution.lepton_platform.deployment.platform_defaults.queue_config.can_preempt=true',
      ],
    },
  );
  expect(spec.body).toMatchObject({
    health: { readiness: {}, liveness: { initial_delay_seconds: 5 } },
    auto_scaler: { target_gpu_utilization_percentage: 50, scale_down: { no_traffic_timeout: 3600 } },
    queue_config: { priority_class: 'mid-4000', can_preempt: true },
    image_pull_secrets: ['a', 'b'],
  });
  expect(spec.body).not.toHaveProperty('enable_rdma');
});

test("the model cache is mounted from the tasks' volume", async () => {
  const { spec } = await dedicated(
    runnable('  lepton_config: {mounts: {enabled: true, cache_path: "/c/{{MODEL_CACHE_NAME}}", mount_path: /cache}}\n'),
  );
  expect(spec.mounts).toEqual([
    { path: '/c/vllm-openai', from: 'node-nfs:lepton-shared-fs', mount_path: '/cache', mount_options: {} },
  ]);
});

test('pre_cmd is passed as data, and runs only if it is trusted', async () => {
  const text = runnable('  pre_cmd: |\n    export A="it\'s"\n');
  const [problem] = await problems(text);
  expect(problem).toMatchObject({
    path: 'deployment.pre_cmd',
    hint: expect.stringContaining('NEMO_EVALUATOR_TRUST_PRE_CMD=1'),
  });
  const { spec } = await dedicated(text, { env: { NEMO_EVALUATOR_TRUST_PRE_CMD: '1' } });
  expect(spec.container.command?.slice(0, 2)).toEqual(['/bin/bash', '-c']);
  expect(spec.container.command?.[2]).toContain(Buffer.from('export A="it\'s"\n').toString('base64'));
  expect(spec.container.command?.slice(4, 7)).toEqual(['vllm', 'serve', 'org/model']);
});

test.each([
  ['tensor_parallel_size: 4', 'gpu.1xh200', 'has 1 GPU'],
  ['data_parallel_size: 16', 'gpu.8xh200', 'has 8 GPUs'],
  ['pipeline_parallel_size: 3', 'gpu.8xh200', 'does not use all 8 GPUs'],
])('%s does not fit %s', async (size, shape, message) => {
  const found = await problems(runnable(`  ${size}\n  lepton_config: {resource_shape: ${shape}}\n`));
  expect(found.map((problem) => problem.message).join()).toContain(message);
});

test.each([
  ['both weights', 'vllm', '{hf_model_handle: a/b, checkpoint_path: /c}', 'hf_model_handle'],
  ['no weights', 'vllm', '{served_model_name: a}', 'checkpoint_path'],
  ['replicas', 'vllm', '{hf_model_handle: a/b, lepton_config: {min_replicas: 3}}', 'min_replicas'],
  ['open quote', 'vllm', '{hf_model_handle: a/b, extra_args: "--x \'a"}', 'extra_args'],
  ['a key of another type', 'sglang', '{hf_model_handle: a/b, gpu_memory_utilization: 0.9}', 'gpu_memory_utilization'],
  ['unused arguments', 'generic', '{image: i, served_model_name: m, command: serve, extra_args: --x}', 'extra_args'],
])('%s is refused', async (_name, type, body, key) => {
  const found = await problems(deploying(type, body));
  expect(found.map(({ path }) => path).join()).toContain(key);
});

test('a target URL or another model name is refused with a deployment', async () => {
  const found = await problems(
    `${deploying('vllm', '{hf_model_handle: a/b, served_model_name: m}')}target: {api_endpoint: {url: "http://h/v1", model_id: n}}\n`,
  );
  expect(found.map(({ path }) => path)).toEqual(['target.api_endpoint.url', 'target.api_endpoint.model_id']);
});
