/** Plans of tasks and their jobs. */
import { renderDeployment, renderJob } from '../../../src/lepton/render-spec';
import { dedicated, deploying, invocation, plan, problems, runnable, scriptOf } from './configs';

test('names, folders and storage are derived from the invocation', async () => {
  const { plan: run } = await plan(
    deploying(
      'vllm',
      '{hf_model_handle: a/b}',
      '[{name: arc_challenge}, {name: hellaswag}, {name: winogrande}, {name: hellaswag}]',
    ),
  );
  expect(run.tasks.map(({ endpointName, jobName, folder, index }) => [index, endpointName, jobName, folder])).toEqual([
    [0, 'vllm-arc-challenge-0-843b6c12', 'eval-arc-challenge-0-843b6c12', '0-arc-challenge'],
    [1, 'vllm-hellaswag-1-843b6c12', 'eval-hellaswag-1-843b6c12', '1-hellaswag'],
    [2, 'vllm-winogrande-2-843b6c12', 'eval-winogrande-2-843b6c12', '2-winogrande'],
    [3, 'vllm-hellaswag-3-843b6c12', 'eval-hellaswag-3-843b6c12', '3-hellaswag'],
  ]);
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

test('where endpoints and jobs run, and what is attached to them', async () => {
  const at = 'execution.lepton_platform';
  const storage = '[{data_source_name: data, attachments: [{mode: awsProfile, attach_with: object}]}]';
  const wishes = [
    `${at}.deployment.allowed_nodes=[n1, n2]`,
    `${at}.tasks.allowed_nodes=[n3]`,
    `+${at}.deployment.platform_defaults.storage_attachments=${storage}`,
    `+${at}.tasks.storage_attachments=${storage}`,
  ];
  const more = [
    `+${at}.deployment.platform_defaults.auth_config={ip_allowlist: [10.0.0.0/8, '2001:db8::/32'], lepton_workspace_token_auth: {remove_authorization_header: true}}`,
    `+${at}.deployment.platform_defaults.reservation_config.reservation_id=r1`,
    `+${at}.tasks.reservation_config={reservation_id: r2, allow_burst_to_other_reservations: true}`,
    `+${at}.tasks.queue_config.can_be_preempted=true`,
    `+${at}.tasks.metrics.disable_pulling_from_replica=true`,
    `+${at}.tasks.user_security_context.privileged=false`,
    'deployment.lepton_config.shared_memory_size=8192',
  ];
  const groups = [`${at}.deployment.node_group=ng`, `${at}.tasks.node_group=ng`];
  const { run, spec } = await dedicated(runnable(), { overrides: [...wishes, ...more, ...groups] });
  const attached = [{ data_source_name: 'data', attachments: [{ mode: 'awsProfile', attach_with: 'object' }] }];
  const context = {
    marks: { invocation, index: 0, origin: '' },
    nodeGroupId: 'ng-id',
    resolve: String,
    made: { secret: 's', digest: null },
  };
  expect(renderDeployment(spec, context)).toMatchObject({
    resource_requirement: {
      shared_memory_size: 8192,
      affinity: { allowed_dedicated_node_groups: ['ng-id'], allowed_nodes_in_node_group: ['n1', 'n2'] },
    },
    storage_attachments: attached,
    reservation_config: { reservation_id: 'r1' },
    auth_config: {
      ip_allowlist: ['10.0.0.0/8', '2001:db8::/32'],
      lepton_workspace_token_auth: { remove_authorization_header: true },
    },
    api_tokens: [{ value_from: { token_name_ref: 's' } }],
  });
  const [task] = run.tasks;
  if (task === undefined) throw new Error('the plan has no task');
  expect(renderJob(task.job, { ...context, modelUrl: '' })).toMatchObject({
    affinity: { allowed_dedicated_node_groups: ['ng-id'], allowed_nodes_in_node_group: ['n3'] },
    storage_attachments: attached,
    reservation_config: { reservation_id: 'r2', allow_burst_to_other_reservations: true },
    queue_config: { priority_class: 'mid-4000', can_be_preempted: true },
    metrics: { disable_pulling_from_replica: true },
    user_security_context: { privileged: false },
  });
  expect((await problems(runnable(), { overrides: wishes })).map(({ path }) => path)).toEqual([
    `${at}.deployment.allowed_nodes`,
    `${at}.deployment.platform_defaults.storage_attachments`,
    `${at}.tasks.allowed_nodes`,
    `${at}.tasks.storage_attachments`,
  ]);
});

test('parameters of run and task reach the evaluator, with numbers that PyYAML reads as such', async () => {
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
      '    api_key_name: EVALSAGA_API_KEY',
      '    adapter_config:',
      '      use_caching: false',
    ].join('\n'),
  );
});

test('variables of all levels are merged, and more specific ones win', async () => {
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

test("a protected endpoint's key reaches the job automatically", async () => {
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

describe('an endpoint without `api_tokens`', () => {
  const ownToken = {
    name: 'EVALSAGA_API_KEY',
    secret: { kind: 'workspace', name: `evalsaga-${invocation}-vllm-hellaswag-0-843b6c12` },
  };
  const named = (...overrides: string[]) => ({
    overrides: ['+target.api_endpoint.api_key_name=MY_KEY', ...overrides],
  });

  test('gets a token of its own, to which its job refers', async () => {
    const { run, hostSecrets, spec, probe } = await dedicated(runnable());
    expect(spec.apiTokens).toEqual([{ kind: 'made' }]);
    expect(probe.token).toEqual({ kind: 'made' });
    expect(run.tasks[0]?.job.envs).toContainEqual(ownToken);
    expect(scriptOf(run.tasks[0]?.job.container.command)).toContain('api_key_name: EVALSAGA_API_KEY');
    expect(hostSecrets).toEqual([]);
  });

  test('a key that is named but set nowhere is where its job finds the token', async () => {
    const { run, spec } = await dedicated(runnable(), named());
    expect(spec.apiTokens).toEqual([{ kind: 'made' }]);
    expect(run.tasks[0]?.job.envs).toContainEqual({ ...ownToken, name: 'MY_KEY' });
    const placeholder = named('+evaluation.env_vars.MY_KEY=lit:EMPTY');
    const { run: other } = await dedicated(runnable(), placeholder);
    expect(other.tasks[0]?.job.envs.filter(({ name }) => name === 'MY_KEY')).toEqual([{ ...ownToken, name: 'MY_KEY' }]);
  });

  test('a key that the jobs send is what it asks for', async () => {
    const key = { kind: 'host', name: 'MY_KEY' };
    const ofHost = await dedicated(runnable(), { ...named(), env: { MY_KEY: 'long-enough' } });
    expect([ofHost.spec.apiTokens, ofHost.probe.token]).toEqual([[key], key]);
    expect(ofHost.run.tasks[0]?.job.envs).toContainEqual({ name: 'MY_KEY', secret: key });
    const renamed = named('+evaluation.env_vars.MY_KEY=host:OTHER');
    const ofConfig = await dedicated(runnable(), { ...renamed, env: { OTHER: 'k' } });
    expect(ofConfig.spec.apiTokens).toEqual([{ kind: 'host', name: 'OTHER' }]);
    const copied = named('+evaluation.env_vars={MY_KEY: "runtime:THIS", THIS: "host:OTHER"}');
    const ofRuntime = await dedicated(runnable(), { ...copied, env: { OTHER: 'k' } });
    expect(ofRuntime.spec.apiTokens).toEqual([{ kind: 'host', name: 'OTHER' }]);
  });

  test('is open only where the config says so, and then has no token', async () => {
    const open = 'deployment.lepton_config.allow_unauthenticated_access=true';
    const { run, spec, probe } = await dedicated(runnable(), { overrides: [open] });
    expect([spec.apiTokens, probe.token]).toEqual([[], null]);
    expect(spec.body).toMatchObject({ allow_unauthenticated_access: true });
    expect(run.tasks[0]?.job.envs.some(({ name }) => name === 'EVALSAGA_API_KEY')).toBe(false);
    const both = { overrides: [open, 'deployment.lepton_config.api_tokens=["host:K"]'], env: { K: 'k' } };
    expect(await problems(runnable(), both)).toMatchObject([
      { path: 'deployment.lepton_config.allow_unauthenticated_access', hint: 'remove one of the two' },
    ]);
  });
});

test('`dataset_dir` becomes a mount and a variable', async () => {
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

test('an unknown or ambiguous task is refused with suggestions', async () => {
  const found = await problems(
    deploying('vllm', '{hf_model_handle: a/b}', '[{name: ifevl}, {name: mmlu_pro}, {name: arc-challenge}]'),
  );
  expect(found.map(({ message, hint }) => [message, hint])).toEqual([
    ['there is no task named `ifevl`', 'did you mean `ifeval`?'],
    [
      'several harnesses have a task named `mmlu_pro`',
      'write one of: lm-evaluation-harness.mmlu_pro (completions), simple_evals.mmlu_pro (chat)',
    ],
    ['there is no task named `arc-challenge`', expect.stringContaining('`arc_challenge`')],
  ]);
});

test('an unlisted task needs a container and the trust variable', async () => {
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

test('the trust variable is not read from an env file', async () => {
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

test('another volume is used by its name', async () => {
  const fileSystem = async (from: string) =>
    (
      await plan(runnable(), {
        overrides: [`execution.lepton_platform.tasks.mounts=[{from: "${from}", path: /p/, mount_path: /w}]`],
      })
    ).plan.storage;
  expect(await fileSystem('node-nfs:other')).toMatchObject({ fileSystem: 'other', path: `/p/${invocation}` });
});
