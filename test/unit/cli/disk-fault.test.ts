import { roomHint } from '../../../src/cli/disk-fault';

test.each([
  [2_100_000, 'Only 2.1 MB are free for the home folder /home/x, which may be why: make room first.'],
  [0, 'Only 0.0 MB are free for the home folder /home/x, which may be why: make room first.'],
  [1e9, undefined],
  [undefined, undefined],
])('with %p bytes free', (free, hint) => {
  expect(roomHint(free, '/home/x')).toBe(hint);
});
