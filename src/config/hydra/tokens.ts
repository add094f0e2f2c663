/** The tokens of Hydra's override values and OmegaConf's interpolation arguments. Pure. */
import type { ScalarValue } from '../yaml/tree';
import { narrow } from '../yaml/yaml-scalars';

export type TokenType = 'null' | 'int' | 'float' | 'bool' | 'id' | 'char' | 'esc' | 'ws' | 'colon';

export interface Token {
  readonly type: TokenType;
  readonly text: string;
}

const unsigned = '(?:0|[1-9](?:_?[0-9])*)';
const point = `(?:${unsigned}?\\.[0-9](?:_?[0-9])*|${unsigned}\\.)`;
const exponent = `(?:${point}|${unsigned})[eE][+-]?[0-9](?:_?[0-9])*`;

// In the order of the grammars: of equally long matches the first wins.
const rules: readonly { readonly type: TokenType; readonly pattern: RegExp }[] = [
  { type: 'colon', pattern: /[ \t]*:[ \t]*/y },
  { type: 'float', pattern: new RegExp(`[+-]?(?:${exponent}|${point}|[Ii][Nn][Ff]|[Nn][Aa][Nn])`, 'y') },
  { type: 'int', pattern: new RegExp(`[+-]?${unsigned}`, 'y') },
  { type: 'bool', pattern: /[Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]/y },
  { type: 'null', pattern: /[Nn][Uu][Ll][Ll]/y },
  { type: 'char', pattern: /[/\-\\+.$%*@?|]/y },
  { type: 'id', pattern: /[a-zA-Z_][a-zA-Z0-9_-]*/y },
  { type: 'esc', pattern: /(?:\\\\|\\[()[\]{}:=, \t])+/y },
  { type: 'ws', pattern: /[ \t]+/y },
];

/** Returns the longest token at `at`, or `undefined` if no rule matches. */
export function tokenAt(text: string, at: number): Token | undefined {
  let best: Token | undefined;
  for (const { type, pattern } of rules) {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    if (found !== undefined && found.length > (best?.text.length ?? 0)) best = { type, text: found };
  }
  return best;
}

/** Returns the value of a token that stands alone. */
export function tokenValue({ type, text }: Token): { value: ScalarValue; text?: string; float?: boolean } {
  switch (type) {
    case 'null':
      return { value: null, text };
    case 'bool':
      return { value: text.toLowerCase() === 'true', text };
    case 'int':
      return { value: narrow(BigInt(text.replaceAll('_', '').replace(/^\+/, ''))), text };
    case 'float':
      return { value: floatOf(text), text, float: true };
    case 'esc':
      return { value: unescapeToken(text) };
    case 'id':
    case 'char':
    case 'colon':
    case 'ws':
      return { value: text };
  }
}

/** Returns the text of a token that stands among others. */
export const tokenText = ({ type, text }: Token): string => (type === 'esc' ? unescapeToken(text) : text);

/** Returns every second character: those after the backslashes. */
export const unescapeToken = (text: string): string => [...text].filter((_char, index) => index % 2 === 1).join('');

function floatOf(text: string): number {
  const plain = text.replaceAll('_', '').toLowerCase();
  if (/inf$/.test(plain)) return plain.startsWith('-') ? -Infinity : Infinity;
  return plain.endsWith('nan') ? Number.NaN : Number(plain);
}
