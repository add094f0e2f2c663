/** Messages for common mistakes: each says what was found, and what to write. */
import { planRun } from '../../../src/config';
import { against, load, problems, runnable } from './configs';

const withTasks = (tasks: string) => runnable().replace('  tasks:\n    - name: hellaswag\n', `  tasks: ${tasks}\n`);

test('a single value instead of a mapping is reported with what to write', async () => {
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

test('for an unknown parameter the message points to `params.extra`', async () => {
  const [problem] = await problems(runnable(), { overrides: params('{log_samples: true}') });
  expect(problem?.hint).toContain('`params.extra`');
});

test('a misspelt parameter of the harness gets a warning, an unknown one does not', async () => {
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
  'the URL %s gets no warning',
  async (url) => expect((await load(against(`{url: "${url}", model_id: m}`))).warnings).toEqual([]),
);

test('an unclosed bracket is reported, not a harmless tab after it', async () => {
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

test('a misspelt choice is reported with the nearest one', async () => {
  const [problem] = await problems(runnable(), { overrides: ['execution.start_policy=allready'] });
  expect(problem?.hint ?? problem?.message).toContain('all_ready');
});

test('for variables where version 0.1 had them, the message gives the new place and form', async () => {
  const [problem] = await problems(runnable(), { overrides: ['+execution.env_vars={evaluation: {A: b}}'] });
  expect(problem?.hint).toContain('NAME: host:NAME');
});

test('an address of this machine is refused for jobs on Lepton, and accepted on the local platform', async () => {
  for (const host of ['localhost', '127.0.0.1', '0.0.0.0', '[::1]', 'host.docker.internal']) {
    const loaded = await load(against(`{url: "http://${host}:8000/v1", model_id: m}`));
    const about = { invocation: '0123456789abcdef', owner: 'me', command: 'start', cwd: '/work' };
    const lepton = { kind: 'lepton', workspace: 'w', url: 'https://gateway.example/api' } as const;
    expect(() => planRun(loaded, { ...about, platform: lepton })).toThrow(/this machine/);
    planRun(loaded, { ...about, platform: { kind: 'local', workspace: 'local' } });
    planRun(loaded, { ...about, platform: { ...lepton, url: 'http://127.0.0.1:9/api' } });
  }
});

test("a value that a preset leaves open is reported in the user's file", async () => {
  const [problem] = await problems(runnable().replace('  hf_model_handle: org/model', '  port: 8000'));
  expect(problem).toMatchObject({ path: 'deployment.checkpoint_path', file: 'config.yaml', line: 7 });
});

test('a key without a colon, and a config without defaults, are reported as such', async () => {
  const [colon] = await problems(runnable().replace('\ndeployment:', '\ndeployment'));
  expect(colon?.message).toContain('without its `:`');
  const [none] = await problems('execution: {type: lepton, output_dir: o}\ndeployment: {hf_model_handle: a/b}\n');
  expect(none?.hint).toContain('`defaults`');
});
