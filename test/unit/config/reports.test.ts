/** Faults that users of NeMo Evaluator reported, with what is right here. */
import { against, dedicated, deploying, plan, problems, scriptOf } from './configs';

const chat = '{url: "https://h/v1/chat/completions", model_id: m}';
const trusted = { env: { NEMO_EVALUATOR_TRUST_PRE_CMD: '1', NEMO_EVALUATOR_TRUST_UNLISTED_TASKS: '1' } };
const withTask = (task: string): string => against(chat, `[${task}]`);

const scriptsOf = async (text: string): Promise<string[]> =>
  (await plan(text, trusted)).plan.tasks.map(({ job }) => scriptOf(job.container.command));

test('a command runs exactly as it is written, in a shell', async () => {
  const command = ['# a comment', `export A=1 && vllm serve "$MODEL" --x '{"a": 1}'`, 'exec cat <<EOF', 'x $A', 'EOF'];
  const body = `\n  hf_model_handle: a/b\n  command: |\n${command.map((line) => `    ${line}\n`).join('')}`;
  const { spec } = await dedicated(deploying('vllm', body.trimEnd()));
  expect(spec.container.command).toEqual(['/bin/bash', '-c', `${command.join('\n')}\n`]);
});

test('paths that exist only in the container are passed on', async () => {
  const { spec } = await dedicated(
    deploying('vllm', '{hf_model_handle: a/b, extra_args: "--chat-template /checkpoint/t.jinja"}'),
  );
  expect(spec.container.command).toEqual(expect.arrayContaining(['--chat-template', '/checkpoint/t.jinja']));
  const extra = '++prompt_config=/nemo_run/code/x/math.yaml';
  const [script] = await scriptsOf(
    withTask(`{name: mmlu_instruct, nemo_evaluator_config: {config: {params: {extra: {args: "${extra}"}}}}}`),
  );
  expect(script).toContain(`args: "${extra}"`);
});

describe('a task in an image of its own', () => {
  test('outside the list says which variable and which key it needs', async () => {
    const text = withTask('{name: my_suite.mytask, container: "reg.example/img:1"}');
    const [problem] = await problems(text);
    expect(problem?.hint).toContain('NEMO_EVALUATOR_TRUST_UNLISTED_TASKS=1');
    expect(problem?.hint).toContain('`endpoint_type`');
    const [script] = await scriptsOf(text);
    expect(script).toContain('type: my_suite.mytask');
  });

  test('in the list has the kind of endpoint that its user gives', async () => {
    const task = (more: string): string => withTask(`{name: hellaswag, container: "r/i:27.01"${more}}`);
    const [problem] = await problems(task(''));
    expect(problem?.hint).toContain('if it takes them in its own image, set endpoint_type: chat');
    const [script] = await scriptsOf(task(', endpoint_type: chat'));
    expect(script).toContain('type: chat');
  });
});

test('a task’s settings are merged into the common ones; lists and commands are replaced, and null unsets', async () => {
  const [own, other] = await scriptsOf(`defaults: [execution: lepton, deployment: none, _self_]
execution: {output_dir: o}
target: {api_endpoint: ${chat}}
evaluation:
  pre_cmd: echo all
  nemo_evaluator_config:
    config: {params: {parallelism: 5, extra: {stop: [a, b]}}}
    target: {api_endpoint: {adapter_config: {use_request_logging: true}}}
  tasks:
    - name: mmlu_instruct
      pre_cmd: echo own
      nemo_evaluator_config: {config: {params: {temperature: 0.6, extra: {stop: [c]}}}}
    - name: mmlu_instruct
      nemo_evaluator_config: {target: {api_endpoint: {adapter_config: null}}}
`);
  expect(own).toContain('parallelism: 5\n    extra:\n      stop:\n        - c\n    temperature: 0.6\n');
  expect(own).toContain('use_request_logging: true');
  expect(own).toContain('echo own');
  expect(own).not.toContain('echo all');
  expect(other).toContain('stop:\n        - a\n        - b\n');
  expect(other).not.toContain('use_request_logging');
  expect(other).toContain('echo all');
});

test('escaped interpolations in text of several lines are what OmegaConf makes of them, also through a reference', async () => {
  const [script = ''] = await scriptsOf(`defaults: [execution: lepton, deployment: none, _self_]
execution: {output_dir: o}
target: {api_endpoint: ${chat}}
evaluation:
  pre_cmd: |
    a \\\${HOME} $$ b
    '\\\\\${evaluation.tasks.0.name}' \\\\ \\n
  post_cmd: "\${evaluation.pre_cmd}"
  tasks: [{name: mmlu_instruct}]
`);
  // Of omegaconf 2.3: an escaped backslash counts as one only before an interpolation.
  const text = "a ${HOME} $$ b\n'\\mmlu_instruct' \\\\ \\n\n";
  expect(script.split(text)).toHaveLength(3);
});

test.each([
  ['deployment.checkpoint_path', 'vllm', '{checkpoint_path: "${art:model,path}"}', 'art'],
  ['deployment.image', 'vllm', '{hf_model_handle: a/b, image: "${env_vars.A:B}"}', 'env_vars.A'],
  ['deployment.extra_args', 'vllm', '{hf_model_handle: a/b, extra_args: "${x:-y}"}', 'x'],
])('a resolver that nobody has registered is named, and nothing else follows: %s', async (path, type, body, name) => {
  const found = await problems(deploying(type, body));
  expect(found).toHaveLength(1);
  expect(found[0]).toMatchObject({ path, line: expect.any(Number), column: expect.any(Number) });
  expect(found[0]?.message).toBe(`there is no resolver \`${name}\``);
});
