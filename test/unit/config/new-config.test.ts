import { makeNewConfig, loadConfig, planRun, type NewConfig } from '../../../src/config';
import { renderNewConfig } from '../../../src/config/new-config/new-config';

const common = { tasks: ['lm-evaluation-harness.ifeval', 'lm-evaluation-harness.hellaswag'], outputDir: './results' };
const own = { ...common, model: 'org/model', resourceShape: 'gpu.2xh200' };

const configs: readonly NewConfig[] = [
  { ...own, deployment: 'vllm', limitSamples: 5 },
  { ...own, deployment: 'vllm', model: '/models/mine' },
  { ...own, deployment: 'sglang' },
  { ...own, deployment: 'trtllm' },
  { ...own, deployment: 'nim', image: 'nvcr.io/nim/meta/llama-3.1-8b-instruct:1.8.6' },
  { ...own, deployment: 'generic', image: 'registry.example/server:1', command: 'serve --port 8000 "a: b" # all' },
  { ...common, deployment: 'none', model: 'org/model', url: 'https://models.example/v1', apiKeyName: 'MY_API_KEY' },
  { ...common, deployment: 'none', model: 'org/model', url: 'http://127.0.0.1:8000/v1' },
];

const request = (env: Record<string, string>) => ({
  file: '/nowhere/run.yaml',
  shownFile: 'run.yaml',
  env,
  cwd: '/nowhere',
  platform: { kind: 'local', workspace: 'local' } as const,
});

test.each([
  ['with nothing set on this host', {}],
  ['with keys set', { HF_TOKEN: 'hub-token-value', NGC_API_KEY: 'ngc-key-value' }],
])('each deployment, %s: the file loads without warnings and can be planned', async (_case, env) => {
  for (const config of configs) {
    const { text } = await makeNewConfig(config, request(env));
    const variables = { ...env, MY_API_KEY: 'key-of-endpoint' };
    const loaded = await loadConfig({
      config: '/nowhere/run.yaml',
      text,
      overrides: [],
      tasks: [],
      env: variables,
      cwd: '/nowhere',
    });
    expect(loaded.warnings).toEqual([]);
    const { plan } = planRun(loaded, {
      invocation: '0'.repeat(16),
      platform: { kind: 'local', workspace: 'local' },
      owner: 'me',
      command: '',
      cwd: '/nowhere',
    });
    expect([plan.model, plan.tasks.map(({ task }) => task)]).toEqual([
      config.model === '/models/mine' ? 'mine' : 'org/model',
      common.tasks,
    ]);
    if (config.deployment === 'generic')
      expect(loaded.resolved.deployment).toMatchObject({ command: config.command, image: config.image });
  }
});

test('references to keys are in effect only if the variables are set, or a benchmark can do nothing without', () => {
  const use = (set: readonly string[]) => ({ file: 'run.yaml', isSet: (name: string) => set.includes(name) });
  const config: NewConfig = { ...own, deployment: 'vllm', tasks: ['simple_evals.gpqa_diamond'] };
  const references = (set: readonly string[]) =>
    [...renderNewConfig(config, use(set)).matchAll(/^ +HF_TOKEN: host:HF_TOKEN$/gm)].length;
  expect([references([]), references(['HF_TOKEN'])]).toEqual([0, 2]);
});

test('what a run would be refused for is refused before anything is written', async () => {
  await expect(makeNewConfig({ ...own, deployment: 'nim', image: 'not an image' }, request({}))).rejects.toThrow(
    'deployment.image',
  );
  await expect(
    makeNewConfig({ ...common, deployment: 'none', model: 'm', url: 'not a url' }, request({})),
  ).rejects.toThrow('http(s) URL');
});
