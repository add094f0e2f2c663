/** Answers to usual slips: each says what was found, and what to write. */
import { planRun } from '../../../src/config';
import { against, load, problems, runnable } from './configs';

const withTasks = (tasks: string) => runnable().replace('  tasks:\n    - name: hellaswag\n', `  tasks: ${tasks}\n`);

test('a single value where a mapping belongs is named, with what to write', async () => {
  expect(await problems(withTasks('[hellaswag]'))).toMatchObject([
    {
      path: 'evaluation.tasks.0',
      message: 'expected a mapping, found the text `hellaswag`',
      hint: 'write `name: hellaswag` below it',
    },
  ]);
  expect(await problems(runnable(), { overrides: ['execution.budget=20'] })).toMatchObject([
    { message: 'expected a mapping, found the number `20`', hint: 'write `limit: 20` below it' },
  ]);
});

const params = (text: string) => [`+evaluation.nemo_evaluator_config={config: {params: ${text}}}`];

test.each([
  ['limit_samples', '{limit_samples: 0}', 'above 0'],
  ['limit_samples', '{limit_samples: -1}', 'above 0'],
  ['parallelism', '{parallelism: 0}', 'at least 1'],
  ['max_new_tokens', '{max_new_tokens: 0}', 'at least 1'],
  ['request_timeout', '{request_timeout: 0}', 'above zero'],
])('%s: %s is refused with the allowed range', async (key, text, range) => {
  const [problem] = await problems(runnable(), { overrides: params(text) });
  expect(problem).toMatchObject({ path: expect.stringContaining(key), message: expect.stringContaining(range) });
});

test('a parameter that no schema knows is sent to where those of harnesses go', async () => {
  const [problem] = await problems(runnable(), { overrides: params('{log_samples: true}') });
  expect(problem?.hint).toContain('`params.extra`');
});

test('a misspelt parameter of the harness is doubted, an unknown one is not', async () => {
  const warnings = async (text: string) => (await load(runnable(), { overrides: params(`{extra: ${text}}`) })).warnings;
  expect(await warnings('{num_few_shot: 0, tokenizer_backnd: huggingface}')).toMatchObject([
    { path: expect.stringContaining('extra.num_few_shot'), hint: 'did you mean `num_fewshot`?' },
    { path: expect.stringContaining('extra.tokenizer_backnd'), hint: 'did you mean `tokenizer_backend`?' },
  ]);
  expect(await warnings('{num_fewshot: 0, args: "--x", something_of_its_own: 1}')).toEqual([]);
});

test.each([
  ['http://h/openai', 'exactly this path'],
  ['http://h/v1/v1', 'twice'],
  ['http://h/v1/v1/chat/completions', 'twice'],
])('the URL %s is questioned', async (url, message) => {
  const { warnings } = await load(against(`{url: "${url}", model_id: m}`));
  expect(warnings).toMatchObject([{ path: 'target.api_endpoint.url', message: expect.stringContaining(message) }]);
});

test.each(['http://h/v1', 'http://h', 'http://h/v1/chat/completions', 'http://h/openai/v1'])(
  'the URL %s is not',
  async (url) => expect((await load(against(`{url: "${url}", model_id: m}`))).warnings).toEqual([]),
);

test('an unclosed bracket is named, not an innocent tab behind it', async () => {
  const block = '  x: {a: 1\ny: |\n  one\n  two\n  three\n  \tfour\n';
  const [problem] = await problems(`${runnable()}${block}`);
  expect(problem?.message).not.toContain('tab');
});

test.each(['+evaluation.nemo_evaluator_config.config.params.extra.__proto__.x=1', '+evaluation={__proto__: 1}'])(
  '%s is refused',
  async (override) => {
    const [problem] = await problems(runnable(), { overrides: [override] });
    expect(problem?.message).toContain('__proto__');
  },
);

test.each([
  ['1e-3', 0.001],
  ['.5', 0.5],
  ['1_0', 10],
])('the number %s from the environment is %d, as in a file', async (N, number) => {
  const loaded = await load(runnable(), {
    overrides: ['execution.budget={limit: "${oc.env:N}", prices: {x: 1}}'],
    env: { N },
  });
  expect(loaded.resolved.execution.budget).toMatchObject({ limit: number });
});

test('a choice that is misspelt is answered with the nearest', async () => {
  const [problem] = await problems(runnable(), { overrides: ['execution.start_policy=allready'] });
  expect(problem?.hint ?? problem?.message).toContain('all_ready');
});

test('variables at the place of version 0.1 are told where to go, and in which form', async () => {
  const [problem] = await problems(runnable(), { overrides: ['+execution.env_vars={evaluation: {A: b}}'] });
  expect(problem?.hint).toContain('NAME: host:NAME');
});

test('an address of this machine is refused for jobs on Lepton, and fine here', async () => {
  for (const host of ['localhost', '127.0.0.1', '0.0.0.0', '[::1]', 'host.docker.internal']) {
    const loaded = await load(against(`{url: "http://${host}:8000/v1", model_id: m}`));
    const about = { invocation: '0123456789abcdef', owner: 'me', command: 'start', cwd: '/work' };
    const lepton = { kind: 'lepton', workspace: 'w', url: 'https://gateway.example/api' } as const;
    expect(() => planRun(loaded, { ...about, platform: lepton })).toThrow(/this machine/);
    planRun(loaded, { ...about, platform: { kind: 'local', workspace: 'local' } });
    planRun(loaded, { ...about, platform: { ...lepton, url: 'http://127.0.0.1:9/api' } });
  }
});

test('what a preset leaves open is said at the place of the own file', async () => {
  const [problem] = await problems(runnable().replace('  hf_model_handle: org/model', '  port: 8000'));
  expect(problem).toMatchObject({ path: 'deployment.checkpoint_path', file: 'config.yaml', line: 7 });
});

test('a key without its colon, and a config without defaults, are named as such', async () => {
  const [colon] = await problems(runnable().replace('\ndeployment:', '\ndeployment'));
  expect(colon?.message).toContain('without its `:`');
  const [none] = await problems('execution: {type: lepton, output_dir: o}\ndeployment: {hf_model_handle: a/b}\n');
  expect(none?.hint).toContain('`defaults`');
});
