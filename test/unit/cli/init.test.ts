import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { answersFrom, missingOptions, newConfigFrom } from '../../../src/cli/init/answers';
import { askFor } from '../../../src/cli/init/ask';
import { Interrupted, UsageError } from '../../../src/cli/usage-error';

const input = (options: Record<string, unknown>) => ({ arguments: [], options });

describe('options', () => {
  test('all of them make a config, with defaults for the shape and the folder', () => {
    const options = { model: 'org/model', deployment: 'vllm', task: ['ifeval,hellaswag'], limitSamples: '5' };
    expect(newConfigFrom(answersFrom(input(options)))).toEqual({
      model: 'org/model',
      deployment: 'vllm',
      tasks: ['lm-evaluation-harness.ifeval', 'lm-evaluation-harness.hellaswag'],
      resourceShape: 'gpu.1xh200',
      outputDir: './results',
      limitSamples: 5,
    });
  });

  test('a URL alone means an existing endpoint; its path says which of two harnesses is meant', () => {
    const options = { model: 'm', url: 'https://host/v1/completions', task: ['mmlu'] };
    expect(newConfigFrom(answersFrom(input(options)))).toMatchObject({
      deployment: 'none',
      tasks: ['lm-evaluation-harness.mmlu'],
    });
  });

  test.each([
    [{}, ['--model', '--deployment', '-t']],
    [{ deployment: 'none', model: 'm', task: ['ifeval'] }, ['--url']],
    [{ deployment: 'generic', model: 'm', task: ['ifeval'] }, ['--image', '--command']],
  ])('what is missing is listed: %j', (options, expected) => {
    const answers = answersFrom(input(options));
    expect(missingOptions(answers).map((option) => option.split(' ')[0])).toEqual(expected);
    expect(() => newConfigFrom(answers)).toThrow(expected[0]);
  });

  test.each([
    [{ task: ['no_such_task'] }, 'There is no task "no_such_task"'],
    [{ task: ['mmlu'] }, 'lm-evaluation-harness.mmlu (completions), simple_evals.mmlu (chat)'],
    [{ limitSamples: '0' }, '--limit-samples wants'],
    [{ model: 'm', deployment: 'vllm', url: 'https://x', task: ['ifeval'] }, '--url: no effect with --deployment vllm'],
    [{ model: 'm', url: 'https://x', resourceShape: 's', task: ['ifeval'] }, '--resource-shape: no effect'],
  ])('what can not be right is refused: %j', (options, message) => {
    const make = () => newConfigFrom(answersFrom(input(options)));
    expect(make).toThrow(UsageError);
    expect(make).toThrow(message);
  });
});

/** A terminal that is typed on: each text is sent once the question shows. */
function terminal(script: readonly (readonly [question: string, keys: readonly string[]])[]) {
  const stdin = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => undefined });
  const stdout = Object.assign(new PassThrough(), { isTTY: true, columns: 100, rows: 40 });
  let shown = '';
  stdout.setEncoding('utf8').on('data', (text: string) => (shown += text));
  const typed = (async () => {
    for (const [question, keys] of script) {
      while (!shown.includes(question)) await sleep(5);
      for (const key of keys) {
        stdin.write(key);
        await sleep(20);
      }
    }
  })();
  return { to: { input: stdin, output: stdout }, typed };
}

const enter = '\r';
const down = '\u001b[B';

describe('questions', () => {
  test('everything is asked that no option gave', async () => {
    const { to, typed } = terminal([
      ['What serves the model?', [enter]],
      ['Which model?', ['org/model', enter]],
      ['Which resource shape', [enter]],
      ['Which benchmarks?', ['harness.hellaswag', '\t', enter]],
      ['Take only 10 samples', [enter]],
      ['Where do results go?', [enter]],
    ]);
    expect(newConfigFrom(await askFor({ tasks: [] }, to))).toEqual({
      model: 'org/model',
      deployment: 'vllm',
      tasks: ['lm-evaluation-harness.hellaswag'],
      resourceShape: 'gpu.1xh200',
      outputDir: './results',
      limitSamples: 10,
    });
    await typed;
  });

  test('an existing endpoint is asked for its URL and key; what options gave is not asked', async () => {
    const { to, typed } = terminal([
      ['What serves the model?', [down, down, down, down, down, enter]],
      ['What is its URL?', ['https://host/v1', enter]],
      ['Which variable', ['MY_KEY', enter]],
    ]);
    const given = { model: 'm', tasks: ['lm-evaluation-harness.ifeval'], limitSamples: 3, outputDir: 'out' };
    expect(newConfigFrom(await askFor(given, to))).toEqual({
      ...given,
      deployment: 'none',
      url: 'https://host/v1',
      apiKeyName: 'MY_KEY',
    });
    await typed;
  });

  test('Ctrl-C leaves without a file', async () => {
    const { to, typed } = terminal([['What serves the model?', ['\u0003']]]);
    await expect(askFor({ tasks: [] }, to)).rejects.toThrow(Interrupted);
    await typed;
  });
});
