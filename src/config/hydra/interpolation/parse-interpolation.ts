/** Parses text with `${…}` by OmegaConf's interpolation grammar. Pure. */
import { Scanner } from '../scanner';
import { tokenAt, tokenText, tokenValue } from '../tokens';
import type { ScalarValue } from '../../yaml/tree';

export type TextPart = { readonly kind: 'text'; readonly text: string } | Interpolation;

export type Interpolation =
  /** `${a.b}`, `${..b}`: `up` counts the leading dots. */
  | { readonly kind: 'node'; readonly up: number; readonly keys: readonly (string | Interpolation)[] }
  /** `${oc.env:NAME,default}` */
  | {
      readonly kind: 'resolver';
      readonly name: readonly (string | Interpolation)[];
      readonly args: readonly Element[];
    };

export type Element =
  | { readonly kind: 'scalar'; readonly value: ScalarValue; readonly text?: string; readonly float?: boolean }
  | { readonly kind: 'parts'; readonly parts: readonly TextPart[] }
  | { readonly kind: 'list'; readonly items: readonly Element[] }
  | { readonly kind: 'map'; readonly entries: readonly (readonly [string, Element])[] };

/** A syntax error; `at` is its offset in the text. */
export class GrammarFailure extends Error {
  constructor(
    message: string,
    readonly at: number,
  ) {
    super(message);
  }
}

const maxDepth = 50;

/** Parses a whole string into its parts. Throws `GrammarFailure`. */
export const parseText = (text: string): readonly TextPart[] => new Parser(text).wholeText();

/** Parses one element, such as the argument of `oc.decode`. Throws `GrammarFailure`. */
export const parseElement = (text: string): Element => new Parser(text).wholeElement();

class Parser extends Scanner {
  private depth = 0;

  wholeText(): readonly TextPart[] {
    return this.parts(undefined);
  }

  wholeElement(): Element {
    const element = this.element();
    if (this.at < this.text.length) this.fail(`unexpected \`${this.text[this.at] ?? ''}\``);
    return element;
  }

  /** Reads text and interpolations up to `quote`, or to the end. */
  private parts(quote: string | undefined): readonly TextPart[] {
    const parts: TextPart[] = [];
    let plain = '';
    const flush = () => {
      if (plain !== '') parts.push({ kind: 'text', text: plain });
      plain = '';
    };
    while (this.at < this.text.length && this.text[this.at] !== quote) {
      const run = this.match(/\\+/y);
      if (run !== '') plain += this.backslashes(run, quote);
      else if (this.text.startsWith('${', this.at)) {
        flush();
        parts.push(this.interpolation());
      } else plain += this.match(quote === undefined ? /\$|[^$\\]+/y : quote === "'" ? /\$|[^$\\']+/y : /\$|[^$\\"]+/y);
    }
    flush();
    return parts;
  }

  /** Backslashes are special only before `${` and, within quotes, before the closing quote. */
  private backslashes(run: string, quote: string | undefined): string {
    const odd = run.length % 2 === 1;
    const half = '\\'.repeat(Math.floor(run.length / 2));
    if (this.text.startsWith('${', this.at)) {
      if (!odd) return half;
      this.at += 2;
      return `${half}\${`;
    }
    if (quote !== undefined && this.text[this.at] === quote) {
      if (!odd) return half;
      this.at += 1;
      return half + quote;
    }
    return run;
  }

  private interpolation(): Interpolation {
    const start = this.at;
    if (++this.depth > maxDepth) this.fail(`more than ${maxDepth} nested interpolations`);
    this.at += 2;
    this.match(/[ \t]+/y);
    const up = this.match(/\.*/y).length;
    const keys: (string | Interpolation)[] = [this.key()];
    let bracketed = up > 0;
    for (;;) {
      if (this.match(/\./y) !== '') keys.push(this.bareKey());
      else if (this.text[this.at] === '[') {
        bracketed = true;
        keys.push(this.key());
      } else break;
    }
    const result = this.endOfInterpolation({ start, up, keys, bracketed });
    this.depth--;
    return result;
  }

  private endOfInterpolation(found: {
    start: number;
    up: number;
    keys: (string | Interpolation)[];
    bracketed: boolean;
  }): Interpolation {
    const { start, up, keys, bracketed } = found;
    if (this.match(/[ \t]*\}/y) !== '') return { kind: 'node', up, keys };
    if (this.match(/[ \t]*:[ \t]*/y) === '') {
      this.fail(
        this.at >= this.text.length
          ? '`${` is not closed by `}`'
          : `unexpected \`${this.text[this.at] ?? ''}\` in \`${this.text.slice(start, this.at + 1)}\``,
      );
    }
    const isName = keys.every((key) => typeof key !== 'string' || /^[a-zA-Z_][a-zA-Z0-9_-]*$/.test(key));
    if (bracketed || !isName) this.fail(`\`${this.text.slice(start + 2, this.at)}\` is not the name of a resolver`);
    return { kind: 'resolver', name: keys, args: this.sequence(/[ \t]*\}/y) };
  }

  private key(): string | Interpolation {
    if (this.match(/\[/y) === '') return this.bareKey();
    const key = this.bareKey();
    if (this.match(/\]/y) === '') this.fail('`[` is not closed by `]`');
    return key;
  }

  private bareKey(): string | Interpolation {
    if (this.text.startsWith('${', this.at)) return this.interpolation();
    const key = this.match(/[^\\{}()[\]:. \t'"]+/y);
    if (key === '')
      this.fail(
        this.at >= this.text.length
          ? '`${` is not closed by `}`'
          : `expected a key, found \`${this.text[this.at] ?? ''}\``,
      );
    return key;
  }

  /** Reads comma-separated elements up to and including `close`. A missing element is empty text. */
  private sequence(close: RegExp): readonly Element[] {
    const empty: Element = { kind: 'scalar', value: '' };
    const items: Element[] = [];
    if (this.match(close) !== '') return items;
    for (;;) {
      const lookahead = this.peek(/[ \t]*,/y) || this.peek(close);
      items.push(lookahead ? empty : this.element());
      if (this.match(/[ \t]*,[ \t]*/y) !== '') continue;
      if (this.match(close) !== '') return items;
      this.fail(
        this.at >= this.text.length ? 'a bracket or `${` is not closed' : `unexpected \`${this.text[this.at] ?? ''}\``,
      );
    }
  }

  private element(): Element {
    if (++this.depth > maxDepth) this.fail(`more than ${maxDepth} nested values`);
    const element = this.anyElement();
    this.depth--;
    return element;
  }

  private anyElement(): Element {
    const char = this.text[this.at];
    if (char === "'" || char === '"') return this.quoted(char);
    if (this.match(/\[[ \t]*/y) !== '') return { kind: 'list', items: this.sequence(/[ \t]*\]/y) };
    if (this.match(/\{[ \t]*/y) !== '') return this.map();
    return this.primitive();
  }

  private quoted(quote: string): Element {
    this.at++;
    const parts = this.parts(quote);
    if (this.text[this.at] !== quote) this.fail(`the quote ${quote} is not closed`);
    this.at++;
    const [first, second] = parts;
    if (first === undefined) return { kind: 'scalar', value: '' };
    // An interpolation in quotes becomes text even if it is alone.
    if (second === undefined && first.kind !== 'text')
      return { kind: 'parts', parts: [{ kind: 'text', text: '' }, first] };
    return { kind: 'parts', parts };
  }

  private map(): Element {
    const entries: (readonly [string, Element])[] = [];
    if (this.match(/[ \t]*\}/y) !== '') return { kind: 'map', entries };
    for (;;) {
      const key = this.primitive(true);
      if (this.match(/[ \t]*:[ \t]*/y) === '') this.fail('expected `:` after a key');
      entries.push([key.kind === 'scalar' ? (key.text ?? String(key.value)) : '', this.element()]);
      if (this.match(/[ \t]*,[ \t]*/y) !== '') continue;
      if (this.match(/[ \t]*\}/y) !== '') return { kind: 'map', entries };
      this.fail('`{` is not closed by `}`');
    }
  }

  private primitive(isKey = false): Element {
    const parts: TextPart[] = [];
    let only: Element | undefined;
    let count = 0;
    while (this.at < this.text.length && !this.peek(/[ \t]*[,}\]]/y)) {
      if (isKey && this.peek(/[ \t]*:/y)) break;
      count++;
      if (!isKey && this.text.startsWith('${', this.at)) {
        parts.push(this.interpolation());
        continue;
      }
      const token = tokenAt(this.text, this.at);
      if (token === undefined) return this.fail(`\`${this.text[this.at] ?? ''}\` must be in quotes`);
      this.at += token.text.length;
      only = { kind: 'scalar', ...tokenValue(token) };
      parts.push({ kind: 'text', text: tokenText(token) });
    }
    if (count === 0) this.fail('a value is missing');
    if (count === 1 && only !== undefined) return only;
    if (isKey) return { kind: 'scalar', value: parts.map((part) => (part.kind === 'text' ? part.text : '')).join('') };
    return { kind: 'parts', parts };
  }

  private fail(message: string): never {
    throw new GrammarFailure(message, this.at);
  }
}
