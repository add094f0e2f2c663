/**
 * Texts from configs, platforms and logs, made harmless for a terminal: no escape sequence, control character or
 * direction override of theirs ever reaches it. Pure.
 */

const escapeSequence =
  /(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]|\u001b[\]PX^_][^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c)?|\u001b[ -/]*[0-~]?/g;
const control =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u202a-\u202e\u2028\u2029\u2060-\u2069\ufeff]/g;

/** Several lines: keeps line ends and tabs. */
export function harmlessText(text: string): string {
  return text.replace(/\r\n?/g, '\n').replace(escapeSequence, '').replace(control, '');
}

/** One line: runs of white space become one blank. */
export function harmlessLine(text: string): string {
  return harmlessText(text).replace(/\s+/g, ' ').trim();
}

/** At most `width` characters of one line, the cut marked. */
export function shortened(text: string, width: number): string {
  const characters = [...harmlessLine(text)];
  return characters.length <= width ? characters.join('') : `${characters.slice(0, Math.max(0, width - 1)).join('')}…`;
}
