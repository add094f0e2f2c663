import { causeIn } from '../../../src/activities/log-cause';

const context = `openai.BadRequestError: Error code: 400 - {'message': "This model's maximum context length is 512 tokens, but 700 were asked for"}`;
const opened = "OSError: [Errno 24] Too many open files: '/tmp/x'";

test.each<[string, readonly string[], string, string]>([
  ['nothing', ['', '  '], '', ''],
  ['the last line alone', ['loading', 'CUDA out of memory', ''], 'CUDA out of memory', ''],
  [
    "the server's 400 before the wrapper's own error",
    [context, 'RuntimeError: evaluation failed'],
    'RuntimeError: evaluation failed',
    context,
  ],
  ["the system's word before what follows it", [opened, 'cleaning up', 'exit status 1'], 'exit status 1', opened],
  [
    "a traceback before the shell's line",
    ['  File "x.py"', "KeyError: 'choices'", 'exit 1'],
    'exit 1',
    "KeyError: 'choices'",
  ],
  [
    'not a hiccup that was tried again',
    ['429 Client Error: retrying', 'ValueError: bad doc'],
    'ValueError: bad doc',
    '',
  ],
  ['not an error of the harness when the last line is one', ['KeyError: 1', 'ValueError: bad'], 'ValueError: bad', ''],
])('why it failed: %s', (_, lines, last, cause) => {
  expect(causeIn(lines)).toEqual({ last, cause });
});

test('of a long line the part that tells is shown', () => {
  const { last, cause } = causeIn([`${'x'.repeat(5_000)} maximum context length is 512 ${'y'.repeat(5_000)}`]);
  expect(last).toContain('maximum context length is 512');
  expect(last.length).toBeLessThan(310);
  expect(cause).toBe('');
});
