/** Splits and quotes words as a POSIX shell does. Pure. */

/** Splits `text` into words; `undefined` if a quote is not closed. Variables and globs are not expanded. */
export function shellWords(text: string): string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  let at = 0;
  while (at < text.length) {
    const char = text[at] ?? '';
    if (/\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
      at++;
      continue;
    }
    word ??= '';
    if (char === '\\') {
      if (at + 1 >= text.length) return undefined;
      if (text[at + 1] !== '\n') word += text[at + 1] ?? '';
      at += 2;
    } else if (char === "'") {
      const end = text.indexOf("'", at + 1);
      if (end === -1) return undefined;
      word += text.slice(at + 1, end);
      at = end + 1;
    } else if (char === '"') {
      const quoted = doubleQuoted(text, at + 1);
      if (quoted === undefined) return undefined;
      word += quoted.text;
      at = quoted.end;
    } else {
      word += char;
      at++;
    }
  }
  if (word !== undefined) words.push(word);
  return words;
}

/** In double quotes a backslash escapes only these four characters and the line end. */
function doubleQuoted(text: string, start: number): { text: string; end: number } | undefined {
  let result = '';
  for (let at = start; at < text.length; at++) {
    const char = text[at] ?? '';
    if (char === '"') return { text: result, end: at + 1 };
    if (char === '\\' && /[$`"\\\n]/.test(text[at + 1] ?? '')) {
      at++;
      if (text[at] !== '\n') result += text[at] ?? '';
    } else result += char;
  }
  return undefined;
}

/** Returns `text` quoted as one word. */
export const shellQuote = (text: string): string =>
  /^[A-Za-z0-9_./:=@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
