import { createHash } from 'node:crypto';
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { createInflate, crc32, type Inflate } from 'node:zlib';
import type { CollectorLine } from './collector-protocol';
import { maskFile } from '../../secrets/mask-file';
import { UnusableFolder } from './remote-tree';
import { draftFor } from '../../support/atomic-file';
import type { MaskedContent } from '../../secrets/withheld';

/** What the log said of a file before its pieces. */
type Announced = Pick<Extract<CollectorLine, { kind: 'file' }>, 'index' | 'size' | 'sha256'>;

/** A file that is being put together in a draft. Damage makes it unusable, and is not an error: it comes again. */
export class IncomingFile {
  private readonly hash = createHash('sha256');
  private packed = 0;
  private size = 0;
  private damaged = false;
  private readonly writing: Promise<void>;

  private constructor(
    private readonly file: string,
    private readonly draft: string,
    private readonly handle: FileHandle,
    private readonly announced: Announced,
    private readonly inflate: Inflate,
  ) {
    this.writing = this.unpack();
    this.writing.catch(() => undefined);
  }

  static async begin(file: string, announced: Announced): Promise<IncomingFile> {
    const draft = draftFor(file);
    return new IncomingFile(file, draft, await open(draft, 'wx'), announced, createInflate());
  }

  get index(): number {
    return this.announced.index;
  }

  /** The number of bytes that were of use. */
  async add({ offset, crc, data }: Extract<CollectorLine, { kind: 'piece' }>): Promise<number> {
    if (this.damaged || offset < this.packed) return 0; // a line that came twice does no harm
    if (offset > this.packed || crc32(data).toString(16).padStart(8, '0') !== crc) {
      this.damaged = true;
      return 0;
    }
    this.packed += data.length;
    if (!this.inflate.write(data)) await this.drained();
    return data.length;
  }

  /** Moves the file to its place, secrets masked, when it is whole and what was announced; else `undefined`. */
  async complete(
    packed: number,
    secrets: readonly string[],
  ): Promise<{ readonly masked: MaskedContent | undefined } | undefined> {
    if (this.damaged || packed !== this.packed) return undefined;
    this.inflate.end();
    await this.writing.catch(() => (this.damaged = true));
    const whole =
      !this.damaged && this.size === this.announced.size && this.hash.digest('hex') === this.announced.sha256;
    if (!whole) return undefined;
    await this.handle.sync();
    const masked = await maskFile(this.draft, secrets);
    await rename(this.draft, this.file);
    return { masked };
  }

  async discard(): Promise<void> {
    this.inflate.destroy();
    await this.writing.catch(() => undefined);
    await this.handle.close();
    await rm(this.draft, { force: true });
  }

  private drained(): Promise<void> {
    return new Promise((resolve) => {
      const settle = () => {
        this.inflate.off('drain', settle).off('close', settle);
        resolve();
      };
      this.inflate.on('drain', settle).on('close', settle);
    });
  }

  private async unpack(): Promise<void> {
    for await (const chunk of this.inflate as AsyncIterable<Buffer>) {
      this.size += chunk.length;
      // No more than was announced: a small piece can unpack to a great deal.
      if (this.size > this.announced.size) throw new UnusableFolder(`${this.file}: larger than announced`);
      this.hash.update(chunk);
      await this.handle.writeFile(chunk);
    }
  }
}
