import { ByteMask } from './byte-mask';

/** What a search for secrets found in a stream of bytes. */
export interface Found {
  readonly secrets: number;
  readonly bytes: number;
  /** It has zero bytes: in archives, databases and the like positions and lengths must stay what they are. */
  readonly isBinary: boolean;
}

export class TooLarge extends Error {}

/** Reads it all. Throws `TooLarge` beyond `most` bytes. */
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
