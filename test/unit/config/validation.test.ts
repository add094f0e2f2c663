/** Problems of invalid configs. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { loadConfig } from '../../../src/config';

import { deploying, load, problems, runnable } from './configs';

test('an unknown key is reported with its place and the nearest valid key', async () => {
  const [problem] = await problems(runnable('  lepton_config:\n    resource_shap: gpu.1xh100\n'));
  expect(problem).toMatchObject({
    file: 'config.yaml',
    line: 10,
    column: 5,
    path: 'deployment.lepton_config.resource_shap',
  });
  expect(problem?.hint).toContain('`resource_shape`');
});

test.each([
  ['pre_cmd', 'evaluation:\n  tasks:\n    - {name: hellaswag, precmd: x}\n', 'evaluation.tasks.0.precmd', 'pre_cmd'],
  [
    'temperature',
    'evaluation:\n  nemo_evaluator_config: {config: {params: {temprature: 0}}}\n  tasks: [{name: hellaswag}]\n',
    'evaluation.nemo_evaluator_config.config.params.temprature',
    'temperature',
  ],
  ['tasks', 'evaluation:\n  task: [{name: hellaswag}]\n', 'evaluation.task', 'tasks'],
  [
    'node group',
    'evaluation: {tasks: [{name: hellaswag}]}\nexecution: {output_dir: x, lepton_platform: {tasks: {node_gruop: x}}}\n',
    'execution.lepton_platform.tasks.node_gruop',
    'node_group',
  ],
])('%s', async (_name, text, path, hint) => {
  const config = `defaults:\n  - execution: lepton\n  - deployment: vllm\n  - _self_\ndeployment: {hf_model_handle: a/b}\n${text}`;
  const found = await problems(config);
  expect(found.find((problem) => problem.path === path)?.hint).toContain(hint);
});

test('every problem is reported at once', async () => {
  const config = `defaults:\n  - execution: lepton\n  - deployment: vllm\n  - _self_\nexecution:\n  start_polcy: x\n  evaluation_tasks: {timeout: -3}\ndeployment:\n  port: 99999\nevaluation:\n  tasks:\n    - name: hellaswagg\n    - name: \${oc.env:TASK}\n`;
  const found = await problems(config, { overrides: ['deploymnt.port=1'] });
  expect(found.map(({ path }) => path).sort()).toEqual(
    [
      'deployment.checkpoint_path',
      'deployment.port',
      'deploymnt.port',
      'evaluation.tasks.0.name',
      'evaluation.tasks.1.name',
      'execution.evaluation_tasks.timeout',
      'execution.output_dir',
      'execution.start_polcy',
    ].sort(),
  );
  expect(found.every(({ file, override }) => file !== undefined || override !== undefined)).toBe(true);
});

test('a missing value is reported with its path and how to set it', async () => {
  const [problem] = await problems(runnable().replace('  output_dir: ./out', '  output_dir: ???'));
  expect(problem).toMatchObject({
    line: 6,
    path: 'execution.output_dir',
    hint: expect.stringContaining('-o execution.output_dir=VALUE'),
  });
});

test.each([
  ['1200', 1200],
  ['30m', 1800],
  ['2h', 7200],
  ['90s', 90],
  ['1.5h', 5400],
  ['0.5', 1],
])('the duration %s is %d seconds', async (text, seconds) => {
  const loaded = await load(runnable(), { overrides: [`execution.evaluation_tasks.timeout=${text}`] });
  expect(loaded.resolved.execution.evaluation_tasks.timeout).toBe(seconds);
});

test.each(['0', '-1', 'soon', '30 fortnights', 'null', 'true', '[1]', '400d', 'inf', 'nan'])(
  'the duration %s is refused',
  async (text) => {
    const found = await problems(runnable(), {
      overrides: [`execution.lepton_platform.deployment.endpoint_readiness_timeout=${text}`],
    });
    expect(found).toHaveLength(1);
    expect(found[0]).toMatchObject({
      path: 'execution.lepton_platform.deployment.endpoint_readiness_timeout',
      override: expect.anything(),
      message: expect.stringContaining('duration'),
    });
  },
);

test('a number from the environment counts as a number', async () => {
  const loaded = await load(runnable('  lepton_config: {min_replicas: "${oc.env:N}", max_replicas: 5}\n'), {
    env: { N: '5' },
  });
  expect(loaded.resolved.deployment).toMatchObject({ lepton_config: { min_replicas: 5 } });
  const [problem] = await problems(runnable('  lepton_config: {min_replicas: "${oc.env:N}"}\n'), {
    env: { N: 'many' },
  });
  expect(problem?.message).toContain('whole number');
});

test('text is not a boolean', async () => {
  const loaded = await load(runnable(), { overrides: ['execution.keep_storage=true'] });
  expect(loaded.resolved.execution.keep_storage).toBe(true);
  const [problem] = await problems(runnable(), { overrides: ['execution.keep_storage=no'] });
  expect(problem?.message).toBe('expected true or false, found the text `no`');
});

test.each([
  ['1.10', '1.10'],
  ['0666', '0666'],
  ['123456789012345678901', '123456789012345678901'],
  ['1e3', '1e3'],
  ['yes', 'yes'],
  ['12:30', '12:30'],
])('a name that looks like a number, %s, stays as it was written', async (text, expected) => {
  const loaded = await load(runnable(`  served_model_name: ${text}\n`));
  expect(loaded.resolved.deployment).toMatchObject({ served_model_name: expected });
});

test('the text None is refused for a checkpoint', async () => {
  const [problem] = await problems(runnable('  checkpoint_path: None\n'));
  expect(problem).toMatchObject({ path: 'deployment.checkpoint_path', hint: 'for no value, write null' });
});

test('a key without a value is reported as null', async () => {
  const [problem] = await problems(runnable('  image:\n'));
  expect(problem).toMatchObject({ path: 'deployment.image', message: expect.stringContaining('found null') });
});

test('without a deployment the message points to the defaults list', async () => {
  for (const choice of ['  - deployment: null\n', '']) {
    const [problem] = await problems(
      `defaults:\n  - execution: lepton\n${choice}  - _self_\nexecution: {output_dir: x}\nevaluation: {tasks: [{name: hellaswag}]}\n`,
    );
    expect(problem).toMatchObject({ path: 'deployment', hint: expect.stringContaining('- deployment: vllm') });
  }
  const [unknown] = await problems('defaults:\n  - execution: lepton\n  - deployment: vlm\n  - _self_\n');
  expect(unknown?.hint).toContain('did you mean `vllm`');
});

test.each([
  ['empty', 'tasks: []'],
  ['null', 'tasks:'],
  ['absent', 'pre_cmd: null'],
])('%s: no task is refused', async (_name, tasks) => {
  const [problem] = await problems(
    `defaults:\n  - execution: lepton\n  - deployment: vllm\n  - _self_\nexecution: {output_dir: x}\ndeployment: {hf_model_handle: a/b}\nevaluation:\n  ${tasks}\n`,
  );
  expect(problem).toMatchObject({ path: 'evaluation.tasks', message: 'there are no tasks to run' });
});

test('an alias bomb is refused fast', async () => {
  const levels = Array.from(
    { length: 20 },
    (_value, index) => `a${index + 1}: &a${index + 1} [${`*a${index}, `.repeat(9)}]`,
  );
  // Expanded, it would be endless.
  const [problem] = await problems(`a0: &a0 [x, y]\n${levels.join('\n')}\n`);
  expect(problem?.message).toContain('aliases');
});

test('missing files, folders and invalid YAML are distinguished', async () => {
  const [broken] = await problems('a: 1\nb: "x\nc: 3\n');
  expect(broken).toMatchObject({ file: 'config.yaml', line: expect.any(Number), column: expect.any(Number) });
  const [tab] = await problems('a:\n\tb: 1\n');
  expect(tab).toMatchObject({ line: 2, message: expect.stringContaining('tab') });
  const [list] = await problems('- 1\n');
  expect(list?.message).toBe('expected a mapping of keys, found a list');
});

test('for a duplicate key both lines are named', async () => {
  const [problem] = await problems('deployment: {}\nexecution: {}\ndeployment: {}\n');
  expect(problem).toMatchObject({ line: 3, path: 'deployment', message: expect.stringContaining('line 1') });
});

test('-t selects tasks; an unknown one is refused with the list', async () => {
  const config = runnable().replace(
    '    - name: hellaswag\n',
    '    - name: hellaswag\n    - name: lm-evaluation-harness.ifeval\n    - name: hellaswag\n',
  );
  const names = async (...tasks: string[]) =>
    (await load(config, { tasks })).resolved.evaluation.tasks.map(({ name }) => name);
  expect(await names('hellaswag')).toEqual(['hellaswag', 'hellaswag']);
  expect(await names('hellaswag.2')).toEqual(['hellaswag']);
  expect(await names('ifeval')).toEqual(['lm-evaluation-harness.ifeval']);
  const [problem] = await problems(config, { tasks: ['hellaswga'] });
  expect(problem?.hint).toContain('hellaswag');
});

test('keys that have no equivalent place are refused with advice', async () => {
  const found = await problems(runnable().replace('  output_dir: ./out', '  output_dir: ./out\n  env_vars: {A: b}'));
  expect(found.map(({ path, message }) => [path, message])).toEqual([['execution.env_vars', 'has no effect here']]);
});

test('.env sets variables that are not set; --env-file must exist', async () => {
  const config = runnable('  served_model_name: ${oc.env:NAME}\n');
  const served = async (env: Record<string, string>) =>
    (await load(config, { env, files: { '.env': 'NAME="from file"\n' } })).resolved.deployment;
  expect(await served({})).toMatchObject({ served_model_name: 'from file' });
  expect(await served({ NAME: 'set' })).toMatchObject({ served_model_name: 'set' });
  const [problem] = await problems(config, { envFile: 'nope.env' });
  expect(problem?.message).toBe('the env file does not exist');
});

test('an unset variable is reported once, where it was written', async () => {
  const found = await problems(runnable('  tensor_parallel_size: 1\n  port: ${oc.env:MY_PORT}\n'));
  expect(found).toMatchObject([
    { path: 'deployment.port', message: expect.stringContaining('MY_PORT'), file: 'config.yaml' },
  ]);
  const model = await problems(
    deploying(
      'vllm',
      '{hf_model_handle: "${oc.env:MODEL}", served_model_name: "${.hf_model_handle}", extra_args: "--a ${deployment.hf_model_handle}"}',
    ),
  );
  expect(model.map(({ path }) => path)).toEqual(['deployment.hf_model_handle']);
});

test('values that refer to each other are each reported', async () => {
  const found = await problems(
    deploying(
      'vllm',
      '{hf_model_handle: "${deployment.served_model_name}", served_model_name: "${deployment.hf_model_handle}"}',
    ),
  );
  expect(found.map(({ path }) => path)).toEqual(expect.arrayContaining(['deployment.hf_model_handle']));
});

test('a required value is reported where the user wrote ???', async () => {
  const found = await problems(runnable().replace('./out', '???'));
  expect(found).toMatchObject([{ path: 'execution.output_dir', file: 'config.yaml', line: 6 }]);
});

test('a defaults list without _self_ works, with a warning that says which value wins', async () => {
  const loaded = await load(runnable().replace('  - _self_\n', ''));
  expect(loaded.warnings).toMatchObject([
    { path: 'defaults', line: 1, message: expect.stringContaining('values of this file override') },
  ]);
  expect((await load(runnable())).warnings).toEqual([]);
});

test.each(['', '# nothing yet\n'])('an empty config is reported as empty', async (text) => {
  expect(await problems(text)).toMatchObject([{ file: 'config.yaml', message: 'the config is empty' }]);
});

test('of a cycle of references, only its members are reported', async () => {
  const found = await problems(
    runnable('  image: ${deployment.model}\n  model: ${deployment.image}\n').replace(
      'org/model',
      '${deployment.image}',
    ),
  );
  expect(found.filter(({ message }) => message.includes('itself')).map(({ path }) => path)).toEqual([
    'deployment.image',
    'deployment.model',
  ]);
});

test('for a key without its path, the message gives the path', async () => {
  const [problem] = await problems(runnable(), { overrides: ['ouput_dir=y'] });
  expect(problem?.hint).toBe('did you mean `execution.output_dir`?');
});

test('tasks of one name are told apart by their index, others are not', async () => {
  const two = runnable().replace(
    '- name: hellaswag',
    '- name: hellaswag\n    - name: arc_challenge\n    - name: hellaswag',
  );
  const [problem] = await problems(two, { tasks: ['xyz'] });
  expect(problem?.hint).toBe('its tasks: hellaswag.0, arc_challenge, hellaswag.2');
});

describe('a file that is not there under this name', () => {
  const group = { files: { 'common/base.yaml': 'defaults: [execution: lepton]\n' } };

  test.each([
    ['base.v1', { 'base.v1.yml': 'a: 1\n' }, 'base.v1.yml: rename it'],
    ['base.v1', {}, '`base.v1.yaml` was looked for in'],
    ['../common/base', {}, '`../common/base.yaml` was looked for in'],
  ])('%s in `defaults`', async (name, files, hint) => {
    const [problem] = await problems(runnable().replace('defaults:', `defaults:\n  - ${name}`), { files });
    expect(problem).toMatchObject({ path: 'defaults', hint: expect.stringContaining(hint) });
  });

  test('one that is there, with a group that counts from its folder', async () => {
    const [problem] = await problems(runnable().replace('defaults:', 'defaults:\n  - common/base'), group);
    expect(problem?.hint).toBe('names count from the folder of the file that has them: write `/execution: lepton`');
  });

  test.each([
    ['foo.v1', 'foo.v1.yaml'],
    ['foo.v1.yml', 'foo.v1.yaml'],
    ['-', '/dev/stdin'],
  ])('%s as the config', async (name, hint) => {
    const folder = await mkdtemp(path.join(tmpdir(), 'evalsaga-names-'));
    try {
      await writeFile(path.join(folder, 'foo.v1.yaml'), runnable());
      const loading = loadConfig({ config: name, overrides: [], tasks: [], env: {}, cwd: folder });
      await expect(loading).rejects.toMatchObject({ problems: [{ hint: expect.stringContaining(hint) }] });
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
