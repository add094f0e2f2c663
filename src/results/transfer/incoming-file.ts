import { createHash } from 'node:crypto';
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { createInflate, crc32, type Inflate } from 'node:zlib';
import type { CollectorLine } from './collector-protocol';
import { maskFile } from '../../secrets/mask-file';
import { UnusableFolder } from './remote-tree';
import { draftFor } from '../../support/atomic-file';
import type { MaskedContent } from '../../secrets/withheld';

/** What the log announces of a file before its pieces. */
type Announced = Pick<Extract<CollectorLine, { kind: 'file' }>, 'index' | 'size' | 'sha256'>;

/** Assembles a file in a draft. Damage makes the draft unusable but is not an error, since the file is sent again. */
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

  /** Adds a piece; returns the number of new bytes. */
  async add({ offset, crc, data }: Extract<CollectorLine, { kind: 'piece' }>): Promise<number> {
    if (this.damaged || offset < this.packed) return 0; // a repeated line
    if (offset > this.packed || crc32(data).toString(16).padStart(8, '0') !== crc) {
      this.damaged = true;
      return 0;
    }
    this.packed += data.length;
    if (!this.inflate.write(data)) await this.drained();
    return data.length;
  }

  /** Masks secrets and moves the file to its place if it is complete and as announced; else resolves to `undefined`. */
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
      // A small piece can unpack to a great deal.
      if (this.size > this.announced.size) throw new UnusableFolder(`${this.file}: larger than announced`);
      this.hash.update(chunk);
      await this.handle.writeFile(chunk);
    }
  }
}
