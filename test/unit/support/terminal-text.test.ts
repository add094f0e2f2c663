import fc from 'fast-check';
import { harmlessLine, harmlessText, printable, printableJson, shortened } from '../../../src/support/terminal-text';
import { holds } from '../../support/fuzz';

const harmful = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

test.each([
  ['colour', '\u001b[31mred\u001b[0m', 'red'],
  ['clear screen', 'a\u001b[2J\u001b[Hb', 'ab'],
  ['window title', '\u001b]0;owned\u0007text', 'text'],
  ['hyperlink', '\u001b]8;;http://x\u001b\\link\u001b]8;;\u001b\\', 'link'],
  ['8-bit sequence', '\u009b31mred', 'red'],
  ['half a sequence', 'end\u001b', 'end'],
  ['direction override', 'abc\u202edef', 'abcdef'],
  ['bell and backspace', 'a\u0007b\u0008c', 'abc'],
  ['line ends', 'a\r\nb\rc\n', 'a\nb\nc\n'],
  ['ordinary text', 'naïve 李明 🚀\ttab', 'naïve 李明 🚀\ttab'],
])('%s', (_case, given, expected) => {
  expect(harmlessText(given)).toBe(expected);
});

test('nothing in a text controls the terminal', () => {
  const nasty = fc.string({
    unit: fc.oneof(
      fc.constantFrom('\u001b', '[', ']', '\u0007', '\u009b', 'm', ';', '\r', '\n', '\u202e'),
      fc.string(),
    ),
  });
  holds(
    fc.property(nasty, (text) => {
      expect(harmlessText(text)).not.toMatch(harmful);
      expect(harmlessLine(text)).not.toMatch(/[\n\t]/);
    }),
  );
});

test('shortened marks the cut and never splits a character', () => {
  expect(shortened('🚀🚀🚀🚀', 3)).toBe('🚀🚀…');
  expect(shortened('abc', 3)).toBe('abc');
  expect(shortened('a\n b', 10)).toBe('a b');
});

test('the output filter passes only text, line ends and our own colours', () => {
  expect(
    printable('\u001b[31mred\u001b[0m a\u001b[2J\u001b]8;;http://x\u0007link\u001b]8;;\u0007\r\n\u009b1mb\u202e\tc'),
  ).toBe('\u001b[31mred\u001b[0m alink\nb\tc');
  const colour = /\u001b\[[0-9;]*m/g;
  holds(
    fc.property(
      fc.array(fc.constantFrom('\u001b', '[', ']', '8;;', '31m', 'm', '\u0007', '\u009b', '\u202e', 'a', '\n', '2J')),
      (parts) => {
        expect(printable(parts.join('')).replace(colour, '')).not.toMatch(harmful);
      },
    ),
  );
});

test('escaped JSON is the same document, and nothing in it controls the terminal', () => {
  holds(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const json = printableJson(JSON.stringify({ text }));
      expect(JSON.parse(json)).toEqual({ text });
      expect(json).not.toMatch(harmful);
    }),
  );
});
