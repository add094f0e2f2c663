import { causeIn } from '../../../src/activities/log-cause';

const context = `openai.BadRequestError: Error code: 400 - {'message': "This model's maximum context length is 512 tokens, but 700 were asked for"}`;
const opened = "OSError: [Errno 24] Too many open files: '/tmp/x'";

test.each<[string, readonly string[], string, string]>([
  ['nothing', ['', '  '], '', ''],
  ['the last line alone', ['loading', 'CUDA out of memory', ''], 'CUDA out of memory', ''],
  [
    "the server's 400 rather than the wrapper's own error",
    [context, 'RuntimeError: evaluation failed'],
    'RuntimeError: evaluation failed',
    context,
  ],
  [
    'an error of the operating system rather than what follows it',
    [opened, 'cleaning up', 'exit status 1'],
    'exit status 1',
    opened,
  ],
  [
    "the error of a traceback rather than the shell's line",
    ['  File "x.py"', "KeyError: 'choices'", 'exit 1'],
    'exit 1',
    "KeyError: 'choices'",
  ],
  [
    "the first error of a server's processes rather than what it made the others say",
    [
      "(EngineCore_0 pid=7) ERROR 11-28 07:00:00 [core.py:700] ValueError: VLLM_PORT 'tcp://10.0.0.1:8000' appears to be a URI",
      '(EngineCore_0 pid=7) ERROR 11-28 07:00:00 [core.py:700] RuntimeError: worker failed to start',
      'RuntimeError: Engine core initialization failed. See root cause above.',
    ],
    'RuntimeError: Engine core initialization failed. See root cause above.',
    "(EngineCore_0 pid=7) ERROR 11-28 07:00:00 [core.py:700] ValueError: VLLM_PORT 'tcp://10.0.0.1:8000' appears to be a URI",
  ],
  [
    'behind what a logger writes',
    [
      'ERROR 11-28 07:00:00 [api.py:3] OSError: no such model: org/x',
      'RuntimeError: Engine failed. See stack trace above.',
    ],
    'RuntimeError: Engine failed. See stack trace above.',
    'ERROR 11-28 07:00:00 [api.py:3] OSError: no such model: org/x',
  ],
  ['not an error that was retried', ['429 Client Error: retrying', 'ValueError: bad doc'], 'ValueError: bad doc', ''],
  ['not an error of the harness when the last line is one', ['KeyError: 1', 'ValueError: bad'], 'ValueError: bad', ''],
])('the cause of a failure: %s', (_, lines, last, cause) => {
  expect(causeIn(lines)).toEqual({ last, cause });
});

test('of a long line, the part with the cause is shown', () => {
  const { last, cause } = causeIn([`${'x'.repeat(5_000)} maximum context length is 512 ${'y'.repeat(5_000)}`]);
  expect(last).toContain('maximum context length is 512');
  expect(last.length).toBeLessThan(310);
  expect(cause).toBe('');
});
