import { open } from 'node:fs/promises';

const block = 64 * 1024;
/** A line longer than this ends the reading: nothing that is looked for in a log is as long. */
const longestLine = 1024 * 1024;

/** Lines of a file from its last to its first, without their ends; bounded in memory. */
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
      // The line end of the last line itself is no border.
      if (isEnd && bytes.at(-1) === 0x0a) bytes = bytes.subarray(0, -1);
      isEnd = false;
      for (let at = bytes.lastIndexOf(0x0a); at >= 0; at = bytes.lastIndexOf(0x0a)) {
        yield bytes.toString('utf8', at + 1);
        bytes = bytes.subarray(0, at);
      }
      if (bytes.length > longestLine) return;
      rest = Buffer.from(bytes);
      end = start;
    }
    if (size > 0) yield rest.toString('utf8');
  } finally {
    await handle.close();
  }
}
