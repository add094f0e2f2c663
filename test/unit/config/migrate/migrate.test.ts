import { readFileSync } from 'node:fs';
import path from 'node:path';
import { migrated, stable } from './migrated';

const slurm = `# How we evaluate our models.

# Executor and deployment
defaults:
  - execution: slurm/default   # our cluster
  - deployment: vllm
  - _self_

execution:
  hostname: login.cluster.example
  account: ???
  output_dir: results       # everything
  # Enough for the long ones.
  walltime: 04:00:00
  mounts:
    deployment:
      /data/templates: /templates
      /home/me/.cache/huggingface: /root/.cache/huggingface
    mount_home: false

deployment:
  hf_model_handle: org/model
  served_model_name: model
  tensor_parallel_size: 4
  extra_args: >-
    --chat-template /templates/a.jinja
    --max-model-len 8192

# Benchmarks
evaluation:
  overrides:
    config.params.request_timeout: 3600   # slow model
    target.api_endpoint.adapter_config.custom_system_prompt: '"Think step by step."'
  tasks:
    - name: ifeval
    - name: gpqa_diamond   # gated
      overrides:
        config.params.temperature: 0.6
      env_vars:
        HF_TOKEN: HF_TOKEN_FOR_GPQA
`;

test('a Slurm config of version 0.1: every rule, and all that is not about Slurm as it was', async () => {
  const { text, open, notes } = await stable(slurm);
  expect(text).toBe(`# How we evaluate our models.

# Executor and deployment
defaults:
  - execution: lepton # our cluster
  - deployment: vllm
  - _self_

execution:
  output_dir: results       # everything
  evaluation_tasks:
    # Enough for the long ones.
    timeout: 4h

deployment:
  hf_model_handle: org/model
  served_model_name: model
  tensor_parallel_size: 4
  extra_args: >-
    --chat-template /templates/a.jinja
    --max-model-len 8192
  lepton_config:
    resource_shape: gpu.4xh200
    # evalsaga migrate: deployment.lepton_config.mounts: copy /data/templates of the other machine to this folder of the volume; or change the folder, or remove the mount
    mounts:
      enabled: true
      cache_path: /data/templates
      mount_path: /templates

# Benchmarks
evaluation:
  nemo_evaluator_config:
    config:
      params:
        request_timeout: 3600 # slow model
    target:
      api_endpoint:
        adapter_config:
          custom_system_prompt: "Think step by step."
  tasks:
    - name: lm-evaluation-harness.ifeval
    - name: simple_evals.gpqa_diamond # gated
      nemo_evaluator_config:
        config:
          params:
            temperature: 0.6
      env_vars:
        HF_TOKEN: host:HF_TOKEN_FOR_GPQA
`);
  expect(open).toEqual([{ line: 24, message: expect.stringContaining('copy /data/templates') }]);
  expect(notes).toEqual(['set these variables before a start: HF_TOKEN_FOR_GPQA']);
});

test('a config that runs here already stays as it is, byte for byte', async () => {
  for (const name of ['lepton_vllm', 'lepton_nim', 'lepton_sglang', 'lepton_none']) {
    const file = path.resolve('examples', `${name}.yaml`);
    const text = readFileSync(file, 'utf8');
    expect(await migrated(text, { file })).toMatchObject({ text, changes: [], open: [] });
  }
});

const local = (rest: string, deployment = 'none'): string =>
  `defaults: [execution: local, deployment: ${deployment}, _self_]\n${rest}`;
const target = 'target: {api_endpoint: {url: "https://models.example/v1/chat/completions", model_id: m}}\n';
const tasks = 'evaluation: {tasks: [{name: mmlu_instruct}]}\n';
const output = 'execution: {output_dir: results}\n';

test('keys that another value refers to stay', async () => {
  const { text, changes } = await stable(
    local(
      `execution: {output_dir: "results/\${execution.account}", account: team, partition: batch}\n${target}${tasks}`,
    ),
  );
  expect(text).toContain('account: team');
  expect(text).not.toContain('partition');
  expect(changes.map((change) => change.path)).toEqual(['defaults.0.execution', 'execution.partition']);
});

test('what a key was set to is said, unless it is a secret', async () => {
  const { changes } = await stable(
    local(`execution: {output_dir: r, account: hf_${'aB3'.repeat(8)}, partition: batch}\n${target}${tasks}`),
  );
  expect(changes.slice(1)).toEqual([
    expect.objectContaining({ path: 'execution.account', change: 'removed (was ***)' }),
    expect.objectContaining({ path: 'execution.partition', change: 'removed (was batch)' }),
  ]);
});

test('marks: one above each problem, kept until the user removes them', async () => {
  const config = `${local('')}${output}${target}evaluation:\n  tasks:\n    - name: mmlu_instruct\n    - name: hellaswagg\n`;
  const { text, open } = await stable(config);
  expect(open).toEqual([{ line: 7, message: expect.stringContaining('did you mean `hellaswag`?') }]);
  expect(text.split('\n')[6]).toMatch(/^ {4}# evalsaga migrate: evaluation\.tasks\.1\.name: there is no task named/);
  const fixed = text.replace(/^.*# evalsaga migrate:.*\n/m, '').replace('hellaswagg', 'mmlu_pro_instruct');
  expect(await migrated(fixed)).toMatchObject({ text: expect.not.stringContaining('evalsaga migrate'), open: [] });
});

test('a file without `defaults`, as the launcher saves it, gets the list', async () => {
  const { text, open } = await stable(
    `# saved\nexecution:\n  type: slurm\n  output_dir: r\n  account: a\ndeployment: {type: none}\n${target}${tasks}`,
  );
  expect(text).toMatch(
    /^# saved\ndefaults:\n {2}- execution: lepton\n {2}- deployment: none\n {2}- _self_\n\nexecution:\n {2}type: lepton\n/,
  );
  expect(open).toEqual([]);
});

test('a part that other files include: only its own keys, and no `defaults`', async () => {
  const { text, notes } = await stable('env_vars:\n  HF_TOKEN: HF_TOKEN\n');
  expect(text).toBe('env_vars:\n  HF_TOKEN: host:HF_TOKEN\n');
  expect(notes).toEqual([expect.stringContaining('not a whole config')]);
});

test('an executor preset of the user stays; it is named', async () => {
  const config = `defaults: [execution: cluster, deployment: none, _self_]\n${output}${target}${tasks}`;
  const { text, notes } = await stable(config, { own: ['execution/cluster'] });
  expect(text).toContain('execution: cluster');
  expect(notes[0]).toContain('execution/cluster.yaml');
});

test('levels of the run config: what is one off moves to its place, with its comments', async () => {
  const { text, open } = await stable(`${local('')}${output}${target}evaluation:
  tasks:
    - name: mmlu_instruct
      params: {temperature: 0.5}
      nemo_evaluator_config:
        env_vars: {A_NAME: host:A_NAME}
        config:
          extra: {num_fewshot: 5}
          params:
            # of this harness
            num_repeats: 2
          target: {api_endpoint: {adapter_config: {use_caching: true}}}
          output_dir: /results
`);
  expect(text.slice(text.indexOf('    - name'))).toBe(`    - name: mmlu_instruct
      nemo_evaluator_config:
        config:
          params:
            # of this harness
            temperature: 0.5
            extra: {num_fewshot: 5, num_repeats: 2}
        target: {api_endpoint: {adapter_config: {use_caching: true}}}
      env_vars: {A_NAME: host:A_NAME}
`);
  expect(open).toEqual([]);
});

test('anchors: what is shared by an alias is changed once; what an alias needs is not taken away', async () => {
  const shared = await stable(`${local('')}${output}${target}evaluation:
  env_vars: &env {HF_TOKEN: HF_TOKEN}
  tasks:
    - {name: mmlu_instruct, env_vars: *env}
`);
  expect(shared.text).toContain('&env {HF_TOKEN: host:HF_TOKEN}');
  expect(shared.text).toContain('env_vars: *env');
  const needed = await migrated(
    `${local('')}execution: {output_dir: r, sbatch_comment: &note text}\nname: *note\n${target}${tasks}`,
  );
  expect(needed.text).toContain('sbatch_comment: &note text');
});

test.each([
  ['with Windows line ends', (text: string) => text.replaceAll('\n', '\r\n')],
  ['with a byte order mark', (text: string) => `\ufeff${text}`],
  ['without a line end at the end', (text: string) => text.trimEnd()],
])('a file %s keeps that', async (_case, form) => {
  const [{ text }, plain] = [await stable(form(slurm)), await stable(slurm)];
  const marks = /^.*# evalsaga migrate:.*\r?\n/gm;
  expect(text.replaceAll(marks, '').trimEnd()).toBe(form(plain.text.replaceAll(marks, '')).trimEnd());
});

test('a file indented by four keeps that', async () => {
  const { text } = await stable(`defaults:
    - execution: local
    - deployment: none
    - _self_
execution:
    output_dir: r
    mode: parallel
target:
    api_endpoint:
        url: https://models.example/v1/chat/completions
        model_id: m
evaluation:
    overrides:
        config.params.temperature: 0.5
    tasks:
        - name: mmlu_instruct
`);
  expect(text).toContain('    - execution: lepton\n');
  expect(text).toContain(
    '    nemo_evaluator_config:\n        config:\n            params:\n                temperature: 0.5\n',
  );
});
