import type { FileHandle } from 'node:fs/promises';
import { messageOf } from '../../support/error-message';
import { firstLine } from '../../support/lines';

export interface SavedLog {
  /** Bytes that were read of the log. */
  readonly bytes: number;
  /** Bytes left out in the middle; 0: the file has the whole log. */
  readonly leftOut: number;
  /** Its beginning and its end came, but not what lies between. */
  readonly isCut?: true;
  /** The file has what an earlier call saved, which is more. */
  readonly isEarlier?: true;
}

/** How the line begins that follows a log whose reading broke off. */
export const brokeOffWords = '[evalsaga: the log broke off here: ';

/** Keeps the first `half` bytes of a log in one file, and the last `half` of the rest in another that serves as a ring buffer. */
export class BoundedLog {
  private bytes = 0;

  constructor(
    private readonly head: FileHandle,
    private readonly tail: FileHandle,
    private readonly half: number,
  ) {}

  async add(chunk: Uint8Array): Promise<void> {
    const forHead = chunk.subarray(0, Math.max(this.half - this.bytes, 0));
    if (forHead.byteLength > 0) await writeAll(this.head, forHead, this.bytes);
    let rest = chunk.subarray(forHead.byteLength);
    this.bytes += forHead.byteLength;
    while (rest.byteLength > 0) {
      const position = (this.bytes - this.half) % this.half;
      const piece = rest.subarray(0, this.half - position);
      await writeAll(this.tail, piece, position);
      this.bytes += piece.byteLength;
      rest = rest.subarray(piece.byteLength);
    }
  }

  /** Joins head and tail in the head's file, with a line between them that says what is left out. */
  async complete(broken: { error: unknown } | undefined): Promise<SavedLog> {
    const beyond = Math.max(this.bytes - this.half, 0);
    let end = Math.min(this.bytes, this.half);
    let leftOut = 0;
    if (beyond <= this.half) {
      end = await this.copyTail(0, beyond, end);
    } else {
      // The next byte would have overwritten the oldest one.
      const oldest = beyond % this.half;
      const headEnd = await cutAtLine(this.head, end);
      const skipped = await this.toLineStart(oldest);
      leftOut = this.bytes - headEnd - (this.half - skipped);
      await this.head.truncate(headEnd);
      end =
        headEnd + (await this.writeLine(`[evalsaga: ${leftOut} of ${this.bytes} bytes are left out here]`, headEnd));
      const start = (oldest + skipped) % this.half;
      end = start >= oldest ? await this.copyTail(start, this.half, end) : end;
      end = await this.copyTail(start >= oldest ? 0 : start, oldest, end);
    }
    if (broken && this.bytes > 0) {
      await this.writeLine(`${brokeOffWords}${firstLine(messageOf(broken.error))}]`, end);
    }
    return { bytes: this.bytes, leftOut };
  }

  private async copyTail(from: number, to: number, at: number): Promise<number> {
    let written = at;
    for (let position = from; position < to;) {
      const buffer = Buffer.alloc(Math.min(64 * 1024, to - position));
      const { bytesRead } = await this.tail.read(buffer, 0, buffer.length, position);
      if (bytesRead === 0) break;
      await writeAll(this.head, buffer.subarray(0, bytesRead), written);
      position += bytesRead;
      written += bytesRead;
    }
    return written;
  }

  /** Returns the number of bytes from the oldest one to the start of a line or, if lines are very long, of a character. */
  private async toLineStart(oldest: number): Promise<number> {
    const window = Buffer.alloc(Math.min(lineWindow, this.half));
    const first = await this.tail.read(window, 0, Math.min(window.length, this.half - oldest), oldest);
    if (first.bytesRead < window.length) {
      await this.tail.read(window, first.bytesRead, window.length - first.bytesRead, 0);
    }
    const newline = window.indexOf(0x0a);
    if (newline >= 0 && newline + 1 < this.half) return newline + 1;
    const character = window.findIndex((byte) => (byte & 0xc0) !== 0x80);
    return Math.max(character, 0);
  }

  private async writeLine(line: string, at: number): Promise<number> {
    const bytes = Buffer.from(`\n${line}\n`, 'utf8');
    await writeAll(this.head, bytes, at);
    return bytes.length;
  }
}

/** Bytes that are searched for the end of a line. */
const lineWindow = 64 * 1024;

/** Returns the end of the last whole line within the last 64 KiB before `end`, or else of the last whole character. */
async function cutAtLine(file: FileHandle, end: number): Promise<number> {
  const window = Buffer.alloc(Math.min(lineWindow, end));
  await file.read(window, 0, window.length, end - window.length);
  const newline = window.lastIndexOf(0x0a);
  if (newline >= 0) return end - window.length + newline + 1;
  let cut = window.length;
  while (cut > 0 && ((window[cut - 1] ?? 0) & 0xc0) === 0x80) cut -= 1;
  // Drops the lead byte of a character that was cut, too; a single-byte character stays.
  if (cut > 0 && (window[cut - 1] ?? 0) >= 0xc0) cut -= 1;
  return end - window.length + cut;
}

async function writeAll(file: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.byteLength;) {
    const { bytesWritten } = await file.write(bytes, done, bytes.byteLength - done, at + done);
    done += bytesWritten;
  }
}
