/**
 * Re-chunks bytes so that every chunk ends between two UTF-8 characters: the service's clients decode each chunk by
 * itself. Bytes that are not UTF-8 pass unchanged.
 */
export async function* wholeCharacters(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let rest = new Uint8Array(0);
  for await (const chunk of source) {
    const bytes = rest.length === 0 ? chunk : concat(rest, chunk);
    const end = bytes.length - unfinishedBytes(bytes);
    if (end > 0) yield bytes.subarray(0, end);
    rest = bytes.slice(end);
  }
  if (rest.length > 0) yield rest;
}

/** Returns how many bytes at the end belong to a character that is not complete (0 to 3). Pure. */
export function unfinishedBytes(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if ((byte & 0b1100_0000) === 0b1000_0000) continue; // continuation byte
    return lengthOfCharacter(byte) > back ? back : 0;
  }
  return 0;
}

function lengthOfCharacter(first: number): number {
  if (first >= 0b1111_0000) return first <= 0b1111_0100 ? 4 : 1;
  if (first >= 0b1110_0000) return 3;
  return first >= 0b1100_0010 ? 2 : 1;
}

function concat(first: Uint8Array, second: Uint8Array): Uint8Array {
  const joined = new Uint8Array(first.length + second.length);
  joined.set(first);
  joined.set(second, first.length);
  return joined;
}
