/** Finds a bracket of YAML's flow style that is not closed. Pure. */

const closing: Readonly<Record<string, string>> = { '[': ']', '{': '}' };

/**
 * Returns the offset of the innermost bracket that is not closed; `undefined` if all are. Outside of brackets only one at the
 * beginning of a value opens: in plain text they mean nothing.
 */
export function unclosedBracket(text: string): number | undefined {
  const open: number[] = [];
  for (let at = 0; at < text.length; at++) {
    const char = text[at] ?? '';
    if (char === '#' && /(?:^|\s)$/.test(text.slice(Math.max(0, at - 1), at))) at = endOfLine(text, at);
    else if ((char === '"' || char === "'") && beginsValue(text, at)) at = endOfQuote(text, at);
    else if (char in closing && (open.length > 0 || beginsValue(text, at))) open.push(at);
    else if (char === ']' || char === '}') {
      const last = open.at(-1);
      if (last === undefined) continue;
      if (closing[text[last] ?? ''] !== char) return last;
      open.pop();
    }
  }
  return open.at(-1);
}

/** Whether a value may begin here: after an indicator, or at the beginning of a line. */
const beginsValue = (text: string, at: number): boolean => {
  const before = text.slice(text.lastIndexOf('\n', at - 1) + 1, at);
  return /(?:^|[[{,]|(?:^|\s)-\s|:\s)\s*$/.test(before);
};

function endOfLine(text: string, at: number): number {
  const end = text.indexOf('\n', at);
  return end === -1 ? text.length : end;
}

function endOfQuote(text: string, start: number): number {
  const quote = text[start] ?? '';
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\' && quote === '"') at++;
    else if (text[at] === quote && text[at + 1] === quote && quote === "'") at++;
    else if (text[at] === quote) return at;
  }
  return text.length;
}
