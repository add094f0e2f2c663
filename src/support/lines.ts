/** Texts and byte streams as lines. */

/** Returns the text before the first line end. Pure. */
export const firstLine = (text: string): string => text.split('\n', 1)[0] ?? '';

/** Returns the last line that is not blank, without white space around it; empty if there is none. Pure. */
export const lastLine = (text: string): string => text.trimEnd().split('\n').at(-1)?.trim() ?? '';

export interface LineOptions {
  /** Longest line, in UTF-16 code units: memory stays bounded, whatever the stream holds. */
  readonly longest: number;
  /** What happens to the rest of a longer line. */
  readonly excess: 'next line' | 'dropped';
  /** What happens to a last line that no line end follows. */
  readonly unfinished: 'kept' | 'dropped';
}

/** Decodes a stream of UTF-8 into lines, without their ends. Characters and lines may lie across pieces of the stream. */
export async function* linesOf(
  source: AsyncIterable<Uint8Array>,
  { longest, excess, unfinished }: LineOptions,
): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const bytes of source) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
    while (rest.length > longest) {
      const end = characterStart(rest, longest);
      if (excess === 'dropped') rest = rest.slice(0, end);
      else {
        yield rest.slice(0, end);
        rest = rest.slice(end);
      }
    }
  }
  rest += decoder.decode();
  if (rest !== '' && unfinished === 'kept') yield rest;
}

/** The position itself, or the one before if it is within a character of two code units. */
const characterStart = (text: string, position: number): number =>
  /[\ud800-\udbff]/.test(text.charAt(position - 1)) ? position - 1 : position;
