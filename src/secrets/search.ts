import { ByteMask } from './byte-mask';

/** Result of a search for secrets in a stream of bytes. */
export interface Found {
  readonly secrets: number;
  readonly bytes: number;
  /** It contains zero bytes: in binary files, positions and lengths must not change. */
  readonly isBinary: boolean;
}

export class TooLarge extends Error {}

/** Reads the whole stream. Throws `TooLarge` beyond `most` bytes. */
export async function search(
  source: AsyncIterable<Uint8Array>,
  secrets: readonly string[],
  most = Infinity,
): Promise<Found> {
  const mask = new ByteMask(secrets);
  let isBinary = false;
  let bytes = 0;
  for await (const chunk of source) {
    bytes += chunk.length;
    if (bytes > most) throw new TooLarge(`more than ${most} bytes`);
    isBinary ||= chunk.includes(0);
    mask.push(chunk);
  }
  mask.end();
  return { secrets: mask.found, bytes, isBinary };
}
