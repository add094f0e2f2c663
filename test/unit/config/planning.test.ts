/** From a config to the plan of a run. */
import { invocation, plan, problems, runnable, scriptOf } from './configs';

const dedicated = async (text: string, setup = {}) => {
  const { plan: run, hostSecrets } = await plan(text, setup);
  if (run.endpoint.kind !== 'dedicated') throw new Error('expected a dedicated endpoint');
  return { run, hostSecrets, spec: run.endpoint.spec, probe: run.endpoint.probe };
};

const deploying = (type: string, body: string, tasks = '[{name: lm-evaluation-harness.ifeval}]'): string =>
  `defaults:\n  - execution: lepton\n  - deployment: ${type}\n  - _self_\nexecution: {output_dir: out}\ndeployment: ${body}\nevaluation: {tasks: ${tasks}}\n`;

const against = (target: string, tasks = '[{name: hellaswag}]'): string =>
  `defaults:\n  - execution: lepton\n  - deployment: none\n  - _self_\nexecution: {output_dir: out}\ntarget: {api_endpoint: ${target}}\nevaluation: {tasks: ${tasks}}\n`;

describe('endpoints', () => {
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
    expect(probe).toEqual({ servedModel: 'org/model', healthPath: '/health', warmUp: 'chat', token: null });
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

  test('nim starts by its own entry point', async () => {
    const { spec, probe } = await dedicated(
      deploying('nim', '{image: nvcr.io/nim/meta/x:1.8.6, served_model_name: meta/x}'),
    );
    expect(spec.container.command).toBeUndefined();
    expect(spec.envs).toContainEqual({ name: 'NIM_MODEL_NAME', value: 'meta/x' });
    expect(probe.healthPath).toBe('/v1/health/ready');
  });

  test('generic runs the command of the config', async () => {
    const { spec } = await dedicated(
      deploying(
        'generic',
        '{image: i:1, served_model_name: m, checkpoint_path: /m, command: "serve ${deployment.checkpoint_path} ${deployment.extra_args}", extra_args: "--a b"}',
      ),
    );
    expect(spec.container.command).toEqual(['/bin/bash', '-c', 'serve /m --a b']);
  });

  test('a command of the user takes the building block', async () => {
    const { spec } = await dedicated(
      deploying('vllm', '{hf_model_handle: org/model, command: "${deployment.base_command} --more"}'),
    );
    expect(spec.container.command?.[2]).toMatch(/^vllm serve org\/model --tensor-parallel-size=1 .* --more$/);
  });

  test("the document's example: a model id, a served name, nothing else", async () => {
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

  test('platform defaults are merged deeply, lists replaced', async () => {
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

  test('a model cache is mounted from the volume of the tasks', async () => {
    const { spec } = await dedicated(
      runnable(
        '  lepton_config: {mounts: {enabled: true, cache_path: "/c/{{MODEL_CACHE_NAME}}", mount_path: /cache}}\n',
      ),
    );
    expect(spec.mounts).toEqual([
      { path: '/c/vllm-openai', from: 'node-nfs:lepton-shared-fs', mount_path: '/cache', mount_options: {} },
    ]);
  });

  test('pre_cmd runs as data, and only when it is trusted', async () => {
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
    [
      'a key of another type',
      'sglang',
      '{hf_model_handle: a/b, gpu_memory_utilization: 0.9}',
      'gpu_memory_utilization',
    ],
    [
      'arguments that nobody reads',
      'generic',
      '{image: i, served_model_name: m, command: serve, extra_args: --x}',
      'extra_args',
    ],
  ])('%s is refused', async (_name, type, body, key) => {
    const found = await problems(deploying(type, body));
    expect(found.map(({ path }) => path).join()).toContain(key);
  });

  test('a target URL, or another name, with a deployed model is refused', async () => {
    const found = await problems(
      `${deploying('vllm', '{hf_model_handle: a/b, served_model_name: m}')}target: {api_endpoint: {url: "http://h/v1", model_id: n}}\n`,
    );
    expect(found.map(({ path }) => path)).toEqual(['target.api_endpoint.url', 'target.api_endpoint.model_id']);
  });
});

describe('existing endpoints', () => {
  test.each([
    ['http://h:8082', 'http://h:8082/v1/completions'],
    ['https://h/', 'https://h/v1/completions'],
    ['https://h/v1/', 'https://h/v1/completions'],
    ['https://h/x/v1', 'https://h/x/v1/completions'],
    ['https://h//v1/completions/', 'https://h/v1/completions'],
    ['https://h/v1?a=b', 'https://h/v1/completions?a=b'],
  ])('R17, R18 %s', async (url, expected) => {
    const { plan: run } = await plan(against(`{url: "${url}", model_id: m}`));
    expect(run.endpoint).toMatchObject({
      kind: 'existing',
      url: expected,
      probe: { servedModel: 'm', healthPath: null, warmUp: 'completions' },
    });
    expect(run.tasks[0]?.endpointName).toBeNull();
  });

  test('a base URL serves tasks of several kinds', async () => {
    const { plan: run } = await plan(
      against('{url: "http://h/v1", model_id: m}', '[{name: hellaswag}, {name: lm-evaluation-harness.ifeval}]'),
    );
    expect(scriptOf(run.tasks[0]?.job.container.command)).toContain('--model_url "${EVALSAGA_MODEL_URL:?}"');
    expect(scriptOf(run.tasks[1]?.job.container.command)).toContain('--model_url http://h/v1/chat/completions');
  });

  test('R15, R16 a completions task does not go to a chat URL', async () => {
    const [problem] = await problems(against('{url: "http://h/v1/chat/completions", model_id: m}'));
    expect(problem).toMatchObject({ path: 'evaluation.tasks.0.name', message: expect.stringContaining('logprobs') });
    const [declared] = await problems(
      against('{url: "http://h/v1", model_id: m}', '[{name: hellaswag, endpoint_type: chat}]'),
    );
    expect(declared).toMatchObject({
      path: 'evaluation.tasks.0.endpoint_type',
      message: expect.stringContaining('completions endpoints only'),
    });
  });

  test.each(['ftp://h', 'h:80', 'https://user:pw@h/v1', 'https://h/v1?api_key=x', '""'])(
    'the URL %s is refused, and not repeated',
    async (url) => {
      const found = await problems(against(`{url: ${url === '""' ? url : `"${url}"`}, model_id: m}`));
      expect(found[0]?.path).toBe('target.api_endpoint.url');
      expect(JSON.stringify(found)).not.toContain('user:pw');
    },
  );

  test('a URL and a name are required', async () => {
    const found = await problems(against('{}'));
    expect(found.map(({ path }) => path)).toEqual(['target.api_endpoint.model_id', 'target.api_endpoint.url']);
  });

  test('the key goes to the job and the probe by reference', async () => {
    const { plan: run, hostSecrets } = await plan(against('{url: "http://h/v1", model_id: m, api_key_name: MY_KEY}'), {
      env: { MY_KEY: 's3cr3t-value' },
    });
    expect(run.endpoint.probe.token).toEqual({ kind: 'host', name: 'MY_KEY' });
    expect(run.tasks[0]?.job.envs).toContainEqual({ name: 'MY_KEY', secret: { kind: 'host', name: 'MY_KEY' } });
    expect(hostSecrets).toEqual(['MY_KEY']);
    expect(JSON.stringify(run)).not.toContain('s3cr3t-value');
  });
});

describe('tasks and jobs', () => {
  test('names, folders and storage follow from the invocation', async () => {
    const { plan: run } = await plan(
      deploying(
        'vllm',
        '{hf_model_handle: a/b}',
        '[{name: arc_challenge}, {name: hellaswag}, {name: winogrande}, {name: hellaswag}]',
      ),
    );
    expect(run.tasks.map(({ endpointName, jobName, folder, index }) => [index, endpointName, jobName, folder])).toEqual(
      [
        [0, 'vllm-arc-challenge-0-843b6c12', 'eval-arc-challenge-0-843b6c12', '0-arc-challenge'],
        [1, 'vllm-hellaswag-1-843b6c12', 'eval-hellaswag-1-843b6c12', '1-hellaswag'],
        [2, 'vllm-winogrande-2-843b6c12', 'eval-winogrande-2-843b6c12', '2-winogrande'],
        [3, 'vllm-hellaswag-3-843b6c12', 'eval-hellaswag-3-843b6c12', '3-hellaswag'],
      ],
    );
    const path = `/shared/nemo-evaluator-launcher-workspace/${invocation}`;
    expect(run.storage).toEqual({
      fileSystem: 'lepton-shared-fs',
      path,
      mount: { path, from: 'node-nfs:lepton-shared-fs', mount_path: '/workspace' },
    });
    expect(run.outputDir).toBe(`/work/out/${invocation}`);
    expect(run.tasks[1]?.job.envs).toContainEqual({ name: 'EVALSAGA_OUTPUT_DIR', value: '/workspace/1-hellaswag' });
  });

  test('the job of a task', async () => {
    const { plan: run } = await plan(runnable(), {
      overrides: [
        'execution.evaluation_tasks.timeout=2h',
        'execution.lepton_platform.tasks.image_pull_secrets=[nvcr]',
        'execution.lepton_platform.tasks.node_group=ng',
      ],
    });
    const job = run.tasks[0]?.job;
    expect(job?.container.image).toBe('nvcr.io/nvidia/eval-factory/lm-evaluation-harness:26.03');
    expect(job?.nodeGroup).toBe('ng');
    expect(job?.body).toEqual({
      resource_shape: 'cpu.small',
      image_pull_secrets: ['nvcr'],
      queue_config: { priority_class: 'mid-4000' },
      log: { enable_collection: true },
      shared_memory_size: 1024,
      completions: 1,
      parallelism: 1,
      intra_job_communication: false,
      ttl_seconds_after_finished: 86_400,
    });
    expect(scriptOf(job?.container.command)).toContain('timeout -k 60 7200');
  });

  test('parameters of the run and of the task reach the evaluator, as numbers that PyYAML reads', async () => {
    const { plan: run } = await plan(
      deploying(
        'vllm',
        '{hf_model_handle: a/b}',
        '[{name: lm-evaluation-harness.ifeval, nemo_evaluator_config: {config: {params: {temperature: 1e-7, extra: {a: [3], s: "0666"}}}}}]',
      ),
      {
        overrides: [
          '+evaluation.nemo_evaluator_config={config: {params: {temperature: 1, top_p: 0.9, extra: {a: [1,2], b: 8421999999999995999}}}, target: {api_endpoint: {adapter_config: {use_caching: false}}}}',
        ],
      },
    );
    const script = scriptOf(run.tasks[0]?.job.container.command);
    const config = /<<'EVALSAGA_END'\n([\s\S]*?)\nEVALSAGA_END/.exec(script)?.[1];
    expect(config).toBe(
      [
        'config:',
        '  type: ifeval',
        '  params:',
        '    temperature: 1.0e-07',
        '    top_p: 0.9',
        '    extra:',
        '      a:',
        '        - 3',
        '      b: 8421999999999995999',
        '      s: "0666"',
        'target:',
        '  api_endpoint:',
        '    model_id: a/b',
        '    type: chat',
        '    adapter_config:',
        '      use_caching: false',
      ].join('\n'),
    );
  });

  test('variables of all levels, later ones over earlier ones', async () => {
    const text = `${runnable().replace('    - name: hellaswag\n', '    - name: hellaswag\n      env_vars: {D: "lit:task", R: "runtime:HOME"}\n')}`;
    const { plan: run, hostSecrets } = await plan(text, {
      overrides: [
        '+env_vars={A: "lit:top", B: "lit:top"}',
        '+evaluation.env_vars={B: "host:FROM_HOST", D: "lit:run"}',
        '+execution.lepton_platform.tasks.env_vars={C: plain, T: {value_from: {secret_name_ref: S}}}',
        'execution.env_var_names=[BY_NAME]',
      ],
      env: { FROM_HOST: 'x1', BY_NAME: 'x2' },
    });
    expect(run.tasks[0]?.job.envs.slice(0, 6)).toEqual([
      { name: 'BY_NAME', secret: { kind: 'host', name: 'BY_NAME' } },
      { name: 'A', value: 'top' },
      { name: 'B', secret: { kind: 'host', name: 'FROM_HOST' } },
      { name: 'C', value: 'plain' },
      { name: 'T', secret: { kind: 'workspace', name: 'S' } },
      { name: 'D', value: 'task' },
    ]);
    expect(hostSecrets).toEqual(['BY_NAME', 'FROM_HOST']);
    expect(scriptOf(run.tasks[0]?.job.container.command)).toContain('export R="${HOME-}"');
  });

  test("a protected endpoint's key reaches the job without being told", async () => {
    const { run, hostSecrets, spec, probe } = await dedicated(
      runnable('  lepton_config: {api_tokens: ["host:ENDPOINT_KEY"]}\n'),
      { env: { ENDPOINT_KEY: 'abc' } },
    );
    expect(spec.apiTokens).toEqual([{ kind: 'host', name: 'ENDPOINT_KEY' }]);
    expect(probe.token).toEqual({ kind: 'host', name: 'ENDPOINT_KEY' });
    expect(run.tasks[0]?.job.envs).toContainEqual({
      name: 'EVALSAGA_API_KEY',
      secret: { kind: 'host', name: 'ENDPOINT_KEY' },
    });
    expect(scriptOf(run.tasks[0]?.job.container.command)).toContain('api_key_name: EVALSAGA_API_KEY');
    expect(hostSecrets).toEqual(['ENDPOINT_KEY']);
  });

  test('a data set folder becomes a mount and a variable', async () => {
    const { plan: run } = await plan(
      runnable().replace('    - name: hellaswag', '    - name: hellaswag\n      dataset_dir: /data/hs'),
    );
    expect(run.tasks[0]?.job.mounts).toContainEqual({
      path: '/data/hs',
      from: 'node-nfs:lepton-shared-fs',
      mount_path: '/datasets',
    });
    expect(run.tasks[0]?.job.envs).toContainEqual({ name: 'NEMO_EVALUATOR_DATASET_DIR', value: '/datasets' });
  });

  test('L12 an unknown or ambiguous task is refused with candidates', async () => {
    const found = await problems(
      deploying('vllm', '{hf_model_handle: a/b}', '[{name: ifevl}, {name: ifeval}, {name: arc-challenge}]'),
    );
    expect(found.map(({ message, hint }) => [message, hint])).toEqual([
      ['no task is named `ifevl`', 'did you mean `ifeval`?'],
      ['`ifeval` is a task of several harnesses', 'write one of: codec.ifeval, lm-evaluation-harness.ifeval'],
      ['no task is named `arc-challenge`', expect.stringContaining('`arc_challenge`')],
    ]);
  });

  test('an unlisted task needs its container and the trust switch', async () => {
    const text = deploying('vllm', '{hf_model_handle: a/b}', '[{name: mine.task, container: "reg/mine:1"}]');
    const [problem] = await problems(text);
    expect(problem?.hint).toContain('NEMO_EVALUATOR_TRUST_UNLISTED_TASKS=1');
    const { plan: run } = await plan(text, { env: { NEMO_EVALUATOR_TRUST_UNLISTED_TASKS: '1' } });
    expect(run.tasks[0]).toMatchObject({
      task: 'mine.task',
      endpointPath: '/v1/chat/completions',
      job: { container: { image: 'reg/mine:1' } },
    });
  });

  test('the trust switch does not come from a file beside the config', async () => {
    const text = deploying('vllm', '{hf_model_handle: a/b}', '[{name: mine.task, container: "reg/mine:1"}]');
    const [problem] = await problems(text, { files: { '.env': 'NEMO_EVALUATOR_TRUST_UNLISTED_TASKS=1\n' } });
    expect(problem?.path).toBe('evaluation.tasks.0.name');
  });

  test.each(['/etc', '/usr/lib/', '/'])('results are not mounted over %s', async (mount) => {
    const found = await problems(runnable(), {
      overrides: [`execution.lepton_platform.tasks.mounts=[{from: node-nfs:x, path: /p, mount_path: "${mount}"}]`],
    });
    expect(found[0]?.path).toBe('execution.lepton_platform.tasks.mounts.0.mount_path');
  });

  test('another volume is found by its name, a nameless one is the default', async () => {
    const fileSystem = async (from: string) =>
      (
        await plan(runnable(), {
          overrides: [`execution.lepton_platform.tasks.mounts=[{from: "${from}", path: /p/, mount_path: /w}]`],
        })
      ).plan.storage;
    expect(await fileSystem('node-nfs:other')).toMatchObject({ fileSystem: 'other', path: `/p/${invocation}` });
    expect((await fileSystem('node-local')).fileSystem).toBe('default');
  });
});

describe('limits', () => {
  const many = (count: number, extra = ''): string =>
    deploying(
      'vllm',
      '{hf_model_handle: a/b}',
      `[${Array.from({ length: count }, () => `{name: hellaswag${extra}}`).join(', ')}]`,
    );

  test('300 tasks are planned within a second', async () => {
    const started = performance.now();
    const { plan: run } = await plan(many(300));
    expect(run.tasks).toHaveLength(300);
    expect(performance.now() - started).toBeLessThan(3000);
    expect(JSON.stringify(run).length).toBeLessThan(1_500_000);
  });

  test('T05 more than 1,500 tasks are refused', async () => {
    const [problem] = await problems(many(1501));
    expect(problem).toMatchObject({ path: 'evaluation.tasks', message: expect.stringContaining('1500') });
  });

  test('T02, T03 a plan that is too large is refused with its size', async () => {
    const [problem] = await problems(many(800));
    expect(problem?.message).toMatch(/[\d,]+ bytes, more than the 1,500,000/);
  });
});
