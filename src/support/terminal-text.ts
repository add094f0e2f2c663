/**
 * Makes texts from configs, platforms and logs harmless for a terminal: removes escape sequences, control characters and
 * direction overrides. Pure.
 */

const escapeSequence =
  /(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]|\u001b[\]PX^_][^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c)?|\u001b[ -/]*[0-~]?/g;
const control =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u202a-\u202e\u2028\u2029\u2060-\u2069\ufeff]/g;

/** Makes a text of several lines harmless; keeps line ends and tabs. */
export function harmlessText(text: string): string {
  return text.replace(/\r\n?/g, '\n').replace(escapeSequence, '').replace(control, '');
}

const colour = /\u001b\[[0-9;]{0,20}m/g;
const overriding = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

/**
 * Filters everything that goes to a terminal: only text, line ends and our own colours pass, in case a caller forgot to make
 * its text harmless.
 */
export function printable(text: string): string {
  const parts = text.split(colour);
  const colours = text.match(colour) ?? [];
  return parts
    .map(
      (part, at) =>
        part.replace(/\r\n/g, '\n').replace(escapeSequence, '').replace(overriding, '') + (colours[at] ?? ''),
    )
    .join('');
}

/** Escapes what a terminal would act on; the JSON document stays the same. */
export const printableJson = (json: string): string =>
  json.replace(
    /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

/** Makes a text harmless and one line: runs of white space become one blank. */
export function harmlessLine(text: string): string {
  return harmlessText(text).replace(/\s+/g, ' ').trim();
}

/** Shortens a text to one line of `width` characters, with `…` in place of its middle: similar names differ at their ends. */
export function shortenedInside(text: string, width: number): string {
  const characters = [...harmlessLine(text)];
  if (characters.length <= width) return characters.join('');
  const kept = Math.max(0, width - 1);
  const end = Math.floor(kept / 2);
  return `${characters.slice(0, kept - end).join('')}…${end === 0 ? '' : characters.slice(-end).join('')}`;
}

/** Shortens a text to one line of `width` characters, ending in `…`. */
export function shortened(text: string, width: number): string {
  const characters = [...harmlessLine(text)];
  return characters.length <= width ? characters.join('') : `${characters.slice(0, Math.max(0, width - 1)).join('')}…`;
}
