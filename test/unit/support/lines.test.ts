import { Readable } from 'node:stream';
import { firstLine, lastLine, linesOf, type LineOptions } from '../../../src/support/lines';

const options: LineOptions = { longest: 8, excess: 'next line', unfinished: 'kept' };

async function split(pieces: readonly (string | Uint8Array)[], changed: Partial<LineOptions> = {}): Promise<string[]> {
  const source = Readable.from(pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece)));
  const lines: string[] = [];
  for await (const line of linesOf(source, { ...options, ...changed })) lines.push(line);
  return lines;
}

describe('a stream as lines', () => {
  test('lines and characters may span several chunks', async () => {
    const bytes = Array.from(Buffer.from('naïve\n李明\n\nend'), (byte) => Uint8Array.of(byte));
    expect(await split(bytes)).toEqual(['naïve', '李明', '', 'end']);
  });

  test('a last line without a line end is kept or dropped', async () => {
    expect(await split(['one\ntwo'])).toEqual(['one', 'two']);
    expect(await split(['one\ntwo'], { unfinished: 'dropped' })).toEqual(['one']);
    expect(await split(['one\n'])).toEqual(['one']);
  });

  test('the rest of a long line becomes the next line or is dropped', async () => {
    const pieces = ['0123456', '789abcdef', 'gh\nnext\n'];
    expect(await split(pieces)).toEqual(['01234567', '89abcdefgh', 'next']);
    expect(await split(['0123456', '789', 'abc'], { excess: 'dropped' })).toEqual(['01234567']);
  });

  test('a long line is cut between two characters', async () => {
    expect(await split(['a😀😀😀😀😀'])).toEqual(['a😀😀😀', '😀😀']);
  });
});

test('the first and the last line of a text', () => {
  expect(['', 'one', 'one\ntwo', '\ntwo'].map(firstLine)).toEqual(['', 'one', 'one', '']);
  expect(['', 'one', 'one\r\ntwo \r\n\n', '\n'].map(lastLine)).toEqual(['', 'one', 'two', '']);
});
