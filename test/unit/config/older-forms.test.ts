/** Forms of older launchers, keys at a wrong place, and values: what runs, and what is said about it. */
import { renderProblem } from '../../../src/config';
import type { ConfigProblem } from '../../../src/config';
import { load, plan, problems, scriptOf } from './configs';
import type { Setup } from './configs';

const lepton: Setup = { executor: 'lepton' };
const chat = 'target: {api_endpoint: {url: "https://models.example/v1/chat/completions", model_id: m}}';
const head = (execution: string, deployment = 'none'): string =>
  `defaults: [execution: ${execution}, deployment: ${deployment}, _self_]\n`;
const tasks = (list: string): string => `evaluation: {tasks: [${list}]}\n`;
const ifChat = '{name: mmlu_instruct}';

const said = (found: readonly ConfigProblem[]): string => found.map(renderProblem).join('\n');

describe('forms of launcher 0.1', () => {
  const withTask = (task: string, execution = ''): string =>
    `${head('local')}execution: {output_dir: o${execution}}\n${chat}\n${tasks(`{name: mmlu_instruct, ${task}}`)}`;

  test('the name of a variable is no secret, and is read as such', async () => {
    const text = withTask('env_vars: {JUDGE_API_KEY: JUDGE_KEY_FOR_MATH, HF_HOME: /cache/hub, X: $HOME_OF_X}');
    const loaded = await load(text, lepton);
    expect(said(loaded.warnings)).toContain('env_vars.JUDGE_API_KEY: host:JUDGE_KEY_FOR_MATH');
    expect(said(loaded.warnings)).toContain('env_vars.HF_HOME: lit:/cache/hub');
    expect(said(loaded.warnings)).not.toContain('secret');
    const { hostSecrets } = await plan(text, { ...lepton, env: { JUDGE_KEY_FOR_MATH: 'k', HOME_OF_X: 'x' } });
    expect(hostSecrets).toEqual(['HOME_OF_X', 'JUDGE_KEY_FOR_MATH']);
  });

  test.each([
    ['MODE: FAST', 'host:FAST for the variable of this host, lit:FAST for the text'],
    ['HF_TOKEN: AKIAIOSFODNN7EXAMPLE', 'HF_TOKEN: host:HF_TOKEN'],
  ])('what may be a text or a secret is refused: %s', async (variable, hint) => {
    const [problem] = await problems(withTask(`env_vars: {${variable}}`), lepton);
    expect(problem?.hint).toContain(hint);
    expect(problem?.message).not.toContain('AKIA');
  });

  test('`overrides` and `config` are read as `nemo_evaluator_config`', async () => {
    for (const older of [
      'overrides: {config.params.temperature: 0.25}',
      'config: {config: {params: {temperature: 0.25}}}',
    ]) {
      const { plan: run } = await plan(withTask(older), lepton);
      expect(scriptOf(run.tasks[0]?.job.container.command)).toContain('temperature: 0.25');
      expect(said((await load(withTask(older), lepton)).warnings)).toContain('nemo_evaluator_config');
    }
  });

  const variables =
    ', env_vars: {deployment: {HF_TOKEN: "${oc.env:HF_TOKEN}"}, evaluation: {MODE: text, HF_TOKEN: MY_TOKEN}}';

  test('variables of `execution` are moved from a file for another executor', async () => {
    const text = withTask('endpoint_type: chat', variables)
      .replace('deployment: none', 'deployment: vllm')
      .replace(chat, 'deployment: {hf_model_handle: a/b}');
    const env = { HF_TOKEN: 'h', MY_TOKEN: 'm' };
    const { plan: run } = await plan(text, { ...lepton, env });
    expect(run.endpoint).toMatchObject({
      spec: { envs: expect.arrayContaining([{ name: 'HF_TOKEN', secret: { kind: 'host', name: 'HF_TOKEN' } }]) },
    });
    expect(run.tasks[0]?.job.envs).toEqual(
      expect.arrayContaining([
        { name: 'MODE', value: 'text' },
        { name: 'HF_TOKEN', secret: { kind: 'host', name: 'MY_TOKEN' } },
      ]),
    );
  });

  test('in a file for Lepton each is told where it goes, and in which form', async () => {
    const text = withTask('endpoint_type: chat', variables).replace('execution: local', 'execution: lepton');
    const found = await problems(text, { env: { HF_TOKEN: 'canary-value' } });
    expect(found.map(({ path }) => path)).toEqual(['execution.env_vars']);
    expect(found[0]?.hint).toContain('deployment.env_vars: {HF_TOKEN: host:HF_TOKEN}');
    expect(found[0]?.hint).toContain('evaluation.env_vars: {MODE: lit:text}');
    expect(found[0]?.hint).toContain('evaluation.env_vars: {HF_TOKEN: host:MY_TOKEN}');
    expect(JSON.stringify(found)).not.toContain('canary-value');
  });

  test('none at all are none', async () => {
    await plan(
      withTask('endpoint_type: chat', ', env_vars: {deployment: {}, evaluation: {}}').replace('local', 'lepton'),
    );
  });
});

describe('a key at the wrong place', () => {
  test.each([
    ['nemo_evaluator_config: {config: {extra: {a: 1}}}', 'nemo_evaluator_config.config.params.extra'],
    ['nemo_evaluator_config: {env_vars: {A: lit:a}}', 'env_vars'],
    [
      'nemo_evaluator_config: {config: {params: {use_caching: true}}}',
      'target.api_endpoint.adapter_config.use_caching',
    ],
    ['params: {temperature: 1}', 'nemo_evaluator_config.config.params'],
  ])('%s belongs elsewhere', async (written, place) => {
    const text = `${head('lepton')}execution: {output_dir: o}\n${chat}\n${tasks(`{name: mmlu_instruct, ${written}}`)}`;
    const [problem, ...more] = await problems(text);
    expect(problem?.hint).toMatch(/^belongs under `evaluation\.tasks\.0/);
    expect(problem?.hint).toContain(
      `evaluation.tasks.0.${place.startsWith('target') ? 'nemo_evaluator_config.' : ''}${place}`,
    );
    expect(more).toEqual([]);
  });

  test('of a deployment or the top level too', async () => {
    const text = `${head('lepton', 'vllm')}execution: {output_dir: o}\noutput_dir: x\ndeployment: {hf_model_handle: a/b, min_replicas: 1}\n${tasks('{name: hellaswag}')}`;
    expect((await problems(text)).map(({ path, hint }) => [path, hint])).toEqual([
      ['deployment.min_replicas', 'belongs under `deployment.lepton_config`: deployment.lepton_config.min_replicas'],
      ['output_dir', 'belongs under `execution`: execution.output_dir'],
    ]);
  });
});

describe('defaults lists', () => {
  const listing = (entry: string): string =>
    `defaults: [${entry}, execution: lepton, deployment: none, _self_]\nexecution: {output_dir: o}\n${chat}\n${tasks(ifChat)}`;

  test('`..` does not work, in Hydra neither', async () => {
    const [problem, ...more] = await problems(listing('../common/base'));
    expect(problem?.message).toContain('in Hydra neither');
    expect(problem?.hint).toContain('--config-dir ..');
    expect(more).toEqual([]);
  });

  test.each([
    ['base2', 'base2.yml'],
    ['own: part', 'own/part.yml'],
  ])('a file named .yml is named: %s', async (entry, file) => {
    const [problem] = await problems(listing(entry), { files: { [file]: 'name: x\n' } });
    expect(problem?.message).toContain(`${file.split('/').at(-1) ?? ''}, but`);
    expect(problem?.hint).toContain('rename it');
  });
});

const params = (text: string): string =>
  `${head('lepton')}execution: {output_dir: o}\n${chat}\nevaluation: {tasks: [${ifChat}], nemo_evaluator_config: {config: {params: ${text}}}}\n`;
const runConfigOf = async (text: string, env: Record<string, string>): Promise<string> =>
  scriptOf((await plan(text, { env })).plan.tasks[0]?.job.container.command);

test.each([
  ['temperature', '1e-3', 'temperature: 0.001'],
  ['top_p', '.5', 'top_p: 0.5'],
  ['limit_samples', '12', 'limit_samples: 12'],
  ['request_timeout', '5m', 'request_timeout: 300'],
])('%s from the environment is a number: %s', async (key, value, written) => {
  expect(await runConfigOf(params(`{${key}: "\${oc.env:V}"}`), { V: value })).toContain(written);
});

test.each([
  ['request_timeout: 5m', 'request_timeout: 300'],
  ['request_timeout: 01:00:00', 'request_timeout: 3600'],
])('%s is a duration', async (written, expected) => {
  expect(await runConfigOf(params(`{${written}}`), {})).toContain(expected);
});

test.each([
  ['a file', params('{extra: {a: {__proto__: 1}}}'), []],
  ['an override', params('{extra: {}}'), ['++evaluation.nemo_evaluator_config.config.params.extra.__proto__={a: 1}']],
])('`__proto__` in %s is refused', async (_name, text, overrides) => {
  const found = await problems(text, { overrides });
  expect(found.map(({ message }) => message)).toContain('`__proto__` is not allowed as a key');
});

test.each([
  ['evaluation: {tasks: [\n\t{name: x}\n', 'the bracket `[` is not closed', 4],
  ['evaluation:\n  tasks: [{name: "a]", b: 1\nname: x\n', 'the bracket `{` is not closed', 5],
  ['evaluation:\n\ttasks: []\n', 'a tab is used for indentation: YAML allows only spaces', 5],
])('%j: the fault itself is named', async (text, message, line) => {
  const [problem] = await problems(`# 1\n# 2\n# 3\n${text}`);
  expect(problem).toMatchObject({ message, line });
});

test('the shell lines of a task replace those of all tasks', async () => {
  const text = `${head('lepton')}execution: {output_dir: o}\n${chat}\nevaluation: {pre_cmd: echo all, tasks: [${ifChat}, {name: mmlu_instruct, pre_cmd: echo own}, {name: mmlu_instruct, pre_cmd: ""}]}\n`;
  const { plan: run } = await plan(text, { env: { NEMO_EVALUATOR_TRUST_PRE_CMD: '1' } });
  const lines = run.tasks.map(({ job }) => /^echo \w+$/gm.exec(scriptOf(job.container.command))?.[0]);
  expect(lines).toEqual(['echo all', 'echo own', 'echo all']);
  expect(scriptOf(run.tasks[1]?.job.container.command)).not.toContain('echo all');
});

test.each(['node-local', 'node-nfs:'])('the first mount must be one that results come home from: %s', async (from) => {
  const [problem] = await problems(params('{}'), {
    overrides: [`execution.lepton_platform.tasks.mounts=[{from: "${from}", path: /p, mount_path: /w}]`],
  });
  expect(problem?.path).toMatch(/^execution\.lepton_platform\.tasks\.mounts/);
});
