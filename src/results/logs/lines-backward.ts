import { open } from 'node:fs/promises';

const block = 64 * 1024;
/** Bytes; a longer line ends the reading, since no caller looks for one. */
const maxLineBytes = 1024 * 1024;

/** Yields the lines of a file from last to first, without line ends, in bounded memory. */
export async function* linesBackward(file: string): AsyncGenerator<string> {
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    let rest = Buffer.alloc(0);
    let isEnd = true;
    for (let end = size; end > 0;) {
      const start = Math.max(0, end - block);
      const piece = Buffer.alloc(end - start);
      await handle.read(piece, 0, piece.length, start);
      let bytes = Buffer.concat([piece, rest]);
      // The newline at the end of the file starts no further line.
      if (isEnd && bytes.at(-1) === 0x0a) bytes = bytes.subarray(0, -1);
      isEnd = false;
      for (let at = bytes.lastIndexOf(0x0a); at >= 0; at = bytes.lastIndexOf(0x0a)) {
        yield bytes.toString('utf8', at + 1);
        bytes = bytes.subarray(0, at);
      }
      if (bytes.length > maxLineBytes) return;
      rest = Buffer.from(bytes);
      end = start;
    }
    if (size > 0) yield rest.toString('utf8');
  } finally {
    await handle.close();
  }
}
