import { formatDuration, parseDuration } from '../../../src/support/duration';

test.each([
  ['200ms', 200],
  ['2s', 2_000],
  [' 1.5 m ', 90_000],
  ['1h', 3_600_000],
  ['1d', undefined],
  ['2', undefined],
  ['s', undefined],
  ['-1s', undefined],
  ['1e3s', undefined],
])('the duration %j is %s ms', (text, ms) => expect(parseDuration(text, ['ms', 's', 'm', 'h'])).toBe(ms));

test('only the allowed units are accepted', () => {
  expect(parseDuration('2d', ['s', 'm', 'h', 'd'])).toBe(172_800_000);
  expect(parseDuration('200ms', ['s', 'm', 'h', 'd'])).toBeUndefined();
});

test.each([
  [0, '0 s'],
  [59_400, '59 s'],
  [61_000, '1 min 1 s'],
  [3_720_000, '1 h 2 min'],
  [-5, '0 s'],
])('%i ms are shown as %s', (milliseconds, text) => expect(formatDuration(milliseconds)).toBe(text));
