import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';

/** How a large file is split for upload, and the checksums by which a server says that it has all of it. */

const mebibyte = 1024 * 1024;
/** Bytes of the largest file that is sent in one request. */
export const singleBytes = 8 * mebibyte;
/** S3 takes 10,000 parts. */
const mostParts = 9_000;

/** Returns the size of each part but the last, bytes. Pure. */
export const partSizeFor = (size: number): number =>
  Math.max(singleBytes, Math.ceil(size / mostParts / mebibyte) * mebibyte);

export interface Parts {
  readonly size: number;
  readonly sha256: string;
  /** The digest of the parts' digests, in base64, and the number of parts: how S3 sums up an upload in parts. */
  readonly composite: string;
}

/** Reads the file once for all checksums. */
export async function partsOf(file: string, partSize: number): Promise<Parts> {
  const whole = createHash('sha256');
  const digests: Buffer[] = [];
  let part = createHash('sha256');
  let inPart = 0;
  let size = 0;
  const endPart = (): void => {
    digests.push(part.digest());
    part = createHash('sha256');
    inPart = 0;
  };
  for await (const chunk of createReadStream(file, { highWaterMark: mebibyte }) as AsyncIterable<Buffer>) {
    whole.update(chunk);
    size += chunk.length;
    for (let rest = chunk; rest.length > 0;) {
      const taken = rest.subarray(0, partSize - inPart);
      part.update(taken);
      inPart += taken.length;
      rest = rest.subarray(taken.length);
      if (inPart === partSize) endPart();
    }
  }
  if (inPart > 0) endPart();
  const composite = createHash('sha256').update(Buffer.concat(digests)).digest('base64');
  return { size, sha256: whole.digest('hex'), composite: `${composite}-${digests.length}` };
}
