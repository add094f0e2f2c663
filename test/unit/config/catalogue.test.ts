/** The task catalogue, the presets and the examples. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describeTask, listHarnesses, listTasks, loadConfig, planRun, showConfig } from '../../../src/config';
import { presetsFolder } from '../../../src/config/hydra/compose/sources';
import { deploymentTypes } from '../../../src/config/schema/deployment';
import { load, runnable } from './configs';

const root = path.resolve(__dirname, '..', '..', '..');

test('the 26.03 images: 421 tasks of 23 harnesses', () => {
  expect(listTasks()).toHaveLength(421);
  expect(listHarnesses()).toHaveLength(23);
  expect(listHarnesses().every(({ image }) => /^nvcr\.io\/nvidia\/eval-factory\/[a-z0-9-]+:26\.03$/.test(image))).toBe(
    true,
  );
  expect(new Set(listTasks().map(({ harness, name }) => `${harness}.${name}`)).size).toBe(421);
});

test('a task lists what it needs', () => {
  expect(describeTask('Hellaswag')).toEqual([
    expect.objectContaining({
      harness: 'lm-evaluation-harness',
      endpoints: ['completions'],
      capabilities: ['logprobs'],
      params: expect.objectContaining({ temperature: 1e-7 }),
    }),
  ]);
  expect(describeTask('gpqa_diamond').map(({ harness, variables }) => [harness, variables])).toEqual([
    ['codec', ['HF_TOKEN']],
    ['simple_evals', ['HF_TOKEN']],
  ]);
  expect(describeTask('nope')).toEqual([]);
});

test('eleven bare names are ambiguous', () => {
  const names = listTasks().map(({ name }) => name);
  expect([...new Set(names.filter((name, index) => names.indexOf(name) !== index))].sort()).toEqual(
    [
      'gpqa_diamond',
      'hle',
      'humaneval',
      'humaneval_instruct',
      'humanevalplus',
      'ifbench',
      'ifeval',
      'mgsm',
      'mmlu',
      'mmlu_pro',
      'scicode',
    ].sort(),
  );
});

const required: Readonly<Record<string, string>> = {
  vllm: 'hf_model_handle: a/b',
  sglang: 'hf_model_handle: a/b',
  trtllm: 'hf_model_handle: a/b',
  nim: 'image: i, served_model_name: a/b',
  generic: 'image: i, command: c, served_model_name: a/b',
  none: '',
};

test.each(deploymentTypes)("the schema's own defaults are those of the presets: %s", async (type) => {
  const rest = 'evaluation: {tasks: [{name: hellaswag}]}\n';
  const preset = await load(
    `defaults:\n  - execution: lepton\n  - deployment: ${type}\n  - _self_\nexecution: {output_dir: x}\ndeployment: {${required[type] ?? ''}}\n${rest}`,
  );
  // The same config without the presets' keys: a user's group files may leave any of them out.
  const own = await load(
    `execution: {type: lepton, output_dir: x}\ndeployment: {type: ${type}, image: i, ${(required[type] ?? '').replace('image: i, ', '')}}\n${rest}`.replace(
      type === 'none' ? 'image: i, ' : '\0',
      '',
    ),
  );
  const pick = ({ execution }: typeof preset.resolved) => ({ ...execution, lepton_platform: null });
  expect(pick(own.resolved)).toEqual(pick(preset.resolved));
  // `extra_args` is empty in the presets, since their templates insert it into text; null means the same.
  const differing = ['image', 'command', 'extra_args', 'base_command', 'endpoints', 'lepton_config'];
  const plain = (config: typeof preset.resolved) =>
    Object.fromEntries(Object.entries(config.deployment).filter(([key]) => !differing.includes(key)));
  expect(plain(own.resolved)).toEqual(plain(preset.resolved));
});

test('every preset begins with an explanation', () => {
  for (const folder of ['execution', 'deployment']) {
    for (const file of readdirSync(path.join(presetsFolder, folder)).filter((name) => name.endsWith('.yaml'))) {
      expect(readFileSync(path.join(presetsFolder, folder, file), 'utf8')).toMatch(/^# \w/);
    }
  }
});

const given: Readonly<Record<string, readonly string[]>> = {
  'lepton_none.yaml': ['target.api_endpoint.url=http://localhost:8000/v1'],
  'lepton_none_llama_3_1_8b_instruct.yaml': ['target.api_endpoint.url=https://host/v1/chat/completions'],
};

test.each(readdirSync(path.join(root, 'examples')).filter((name) => name.endsWith('.yaml')))(
  'the example %s can be planned',
  async (name) => {
    const loaded = await loadConfig({
      config: path.join('examples', name),
      overrides: given[name] ?? [],
      tasks: [],
      env: { API_KEY: 'k-1', HF_TOKEN: 'hf-1' },
      cwd: root,
    });
    const { plan } = planRun(loaded, {
      invocation: '843b6c12a0b1c2d3',
      platform: { kind: 'local', workspace: 'w' },
      owner: 'me',
      command: 'x',
      cwd: root,
    });
    expect(plan.tasks.length).toBeGreaterThan(0);
    expect(plan.endpoint.kind).toBe(name.includes('none') ? 'existing' : 'dedicated');
  },
);

test('a config can be given by folder and name', async () => {
  const loaded = await loadConfig({
    configDir: 'examples',
    configName: 'lepton_nim_llama_3_1_8b_instruct',
    overrides: [],
    tasks: [],
    env: {},
    cwd: root,
  });
  expect(loaded.resolved.deployment.type).toBe('nim');
});

test('config show names the source of each value', async () => {
  const shown = showConfig(await load(runnable(), { overrides: ['deployment.port=9000'] }));
  expect(shown).toContain('output_dir: ./out  # config.yaml:6');
  expect(shown).toContain('port: 9000  # -o');
  expect(shown).toContain('tensor_parallel_size: 1  # from deployment.lepton_config.resource_shape');
  expect(shown).toContain('type: vllm  # preset deployment/vllm.yaml:');
});
