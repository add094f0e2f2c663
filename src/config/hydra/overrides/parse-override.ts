/** Parses overrides by Hydra's grammar: `key=value`, `+key=value`, `++key=value`, `~key`. Pure. */
import { OverrideFailure } from './override-failure';
import { Scanner } from '../scanner';
import { tokenAt, tokenText, tokenValue } from '../tokens';
import { scalar } from '../../yaml/tree';
import type { ConfigNode, ScalarNode } from '../../yaml/tree';
import type { Origin } from '../../yaml/problems';
import { castValue, isCast } from './casts';

export interface Override {
  readonly kind: 'change' | 'add' | 'force' | 'delete';
  /** `a.b.0`, or a group path `db/mysql`. */
  readonly key: string;
  readonly package?: string;
  /** Absent only for `~key`. */
  readonly value?: ConfigNode;
  readonly origin: Origin;
}

const maxDepth = 50;
const word = '[a-zA-Z_$][a-zA-Z0-9_$-]*';
const unsigned = '(?:0|[1-9](?:_?[0-9])*)';
const part = `(?:${word}|${unsigned})`;
const packagePattern = `(?:${part}(?:\\.${part})+|${word})?`;
const keyPattern = new RegExp(
  `^(?:([a-zA-Z_][a-zA-Z0-9_-]*(?:/[a-zA-Z_][a-zA-Z0-9_-]*)+)|(${packagePattern}))(?:@(${packagePattern}))?$`,
);

/** Parses one `-o` argument. Throws `OverrideFailure`. */
export function parseOverride(text: string, origin: Origin): Override {
  const prefix = /^(?:\+\+|\+|~)?/.exec(text)?.[0] ?? '';
  const body = text.slice(prefix.length);
  const equal = body.indexOf('=');
  const keyText = equal === -1 ? body : body.slice(0, equal);
  const kind = prefix === '~' ? 'delete' : prefix === '+' ? 'add' : prefix === '++' ? 'force' : 'change';
  if (equal === -1 && kind !== 'delete')
    throw new OverrideFailure('an override has the form KEY=VALUE', 'to delete a key: ~KEY');
  const key = parseKey(keyText);
  if (equal === -1) return { kind, ...key, origin };
  return {
    kind,
    ...key,
    value: new ValueParser(body.slice(equal + 1).replace(/^[ \t]+/, ''), origin, keyText).whole(),
    origin,
  };
}

function parseKey(text: string): { key: string; package?: string } {
  const match = keyPattern.exec(text);
  const key = match?.[1] ?? match?.[2] ?? '';
  if (key.split('.').includes('__proto__')) throw new OverrideFailure('`__proto__` is not allowed as a key');
  if (match !== null && key !== '') return { key, ...(match[3] === undefined ? {} : { package: match[3] }) };
  throw new OverrideFailure(`\`${text}\` is not a key`, keyAdvice(text));
}

function keyAdvice(text: string): string {
  if (/\[\d+\]/.test(text)) return `write a list index as a part of the path: ${text.replaceAll(/\[(\d+)\]/g, '.$1')}`;
  if (/["']/.test(text))
    return "an override cannot address a key that contains dots or slashes: set the mapping around it, e.g. 'labels={nvidia_gpu: 1}', or set it in the file";
  if (/(?:^|\.)\d\w*[a-zA-Z_]/.test(text))
    return 'an override cannot address a key that begins with a digit: set the mapping around it, or set it in the file';
  if (/\s/.test(text)) return 'remove the spaces around the key';
  return 'a key consists of letters, digits, `_` and `-`, with dots between its parts';
}

class ValueParser extends Scanner {
  private depth = 0;

  constructor(
    text: string,
    private readonly origin: Origin,
    private readonly key: string,
  ) {
    super(text);
  }

  whole(): ConfigNode {
    if (this.text === '') return scalar('', this.origin);
    const value = this.element();
    if (this.peek(/[ \t]*$/y)) return value;
    if (this.peek(/[ \t]*,/y)) throw this.sweep();
    return this.unexpected();
  }

  private element(): ConfigNode {
    if (++this.depth > maxDepth) throw new OverrideFailure(`more than ${maxDepth} nested values`);
    const value = this.anyElement();
    this.depth--;
    return value;
  }

  private anyElement(): ConfigNode {
    if (this.match(/\[[ \t]*/y) !== '') return this.list();
    if (this.match(/\{[ \t]*/y) !== '') return this.map();
    const name = this.match(/[a-zA-Z_][a-zA-Z0-9_-]*(?=[ \t]*\()/y);
    return name === '' ? this.primitive() : this.call(name);
  }

  private list(): ConfigNode {
    const items: ConfigNode[] = [];
    if (this.match(/[ \t]*\]/y) !== '') return { kind: 'list', items, origin: this.origin };
    for (;;) {
      items.push(this.element());
      if (this.match(/[ \t]*,[ \t]*/y) !== '') continue;
      if (this.match(/[ \t]*\]/y) !== '') return { kind: 'list', items, origin: this.origin };
      return this.at >= this.text.length ? this.unclosed('[') : this.unexpected();
    }
  }

  private map(): ConfigNode {
    const entries = new Map<string, ConfigNode>();
    if (this.match(/[ \t]*\}/y) !== '') return { kind: 'map', entries, origin: this.origin };
    for (;;) {
      if (this.peek(/["']/y)) throw new OverrideFailure('keys in `{…}` must not be in quotes', 'e.g. {limit: 5}');
      const key = this.primitive('key');
      if (this.match(/[ \t]*:[ \t]*/y) === '')
        return this.at >= this.text.length ? this.unclosed('{') : this.unexpected();
      const name = typeof key.value === 'string' ? key.value : (key.text ?? String(key.value));
      if (name === '__proto__') throw new OverrideFailure('`__proto__` is not allowed as a key');
      entries.set(name, this.element());
      if (this.match(/[ \t]*,[ \t]*/y) !== '') continue;
      if (this.match(/[ \t]*\}/y) !== '') return { kind: 'map', entries, origin: this.origin };
      return this.at >= this.text.length ? this.unclosed('{') : this.unexpected();
    }
  }

  /** Reads a cast such as `int(x)`. Functions that make sweeps have no meaning for a single run. */
  private call(name: string): ConfigNode {
    if (!isCast(name)) {
      throw new OverrideFailure(
        `\`${name}(…)\` is not supported`,
        `a run has one value per key; for the text itself, put it in quotes: ${this.key}='${this.text}'`,
      );
    }
    this.match(/[ \t]*\([ \t]*/y);
    const argument = this.element();
    if (this.match(/[ \t]*\)/y) === '') return this.at >= this.text.length ? this.unclosed('(') : this.unexpected();
    return castValue(name, argument, this.origin);
  }

  private primitive(use: 'key' | 'value' = 'value'): ScalarNode {
    const quoted = use === 'value' ? this.quoted() : undefined;
    if (quoted !== undefined) return quoted;
    const parts: { text: string; only?: Omit<ScalarNode, 'kind' | 'origin'>; blank: boolean }[] = [];
    while (this.at < this.text.length && !this.peek(/[ \t]*(?:[,\]})]|$)/y)) {
      if (use === 'key' && this.peek(/[ \t]*:/y)) break;
      const interpolation = use === 'value' ? this.match(/\$\{[^}]+\}/y) : '';
      if (interpolation !== '') {
        parts.push({ text: interpolation, only: { value: interpolation }, blank: false });
        continue;
      }
      const token = tokenAt(this.text, this.at);
      if (token === undefined) return this.unexpected();
      this.at += token.text.length;
      parts.push({ text: tokenText(token), only: tokenValue(token), blank: token.type === 'ws' });
    }
    while (parts[0]?.blank === true) parts.shift();
    while (parts.at(-1)?.blank === true) parts.pop();
    const [first, second] = parts;
    if (first === undefined) return this.unexpected();
    if (second === undefined && first.only !== undefined) return { kind: 'scalar', ...first.only, origin: this.origin };
    return { kind: 'scalar', value: parts.map(({ text }) => text).join(''), origin: this.origin };
  }

  /** Reads a quoted value. Backslashes are special only before a quote. */
  private quoted(): ScalarNode | undefined {
    const start = this.at;
    this.match(/[ \t]+/y);
    const quote = this.text[this.at];
    if (quote !== '"' && quote !== "'") {
      this.at = start;
      return undefined;
    }
    const whole = this.match(
      quote === '"' ? /"(?:(?:\\\\)*|[\s\S]*?[^\\](?:\\\\)*)"/y : /'(?:(?:\\\\)*|[\s\S]*?[^\\](?:\\\\)*)'/y,
    );
    if (whole === '')
      throw new OverrideFailure(
        `the quote ${quote} is not closed`,
        'a backslash before the closing quote escapes it: write two',
      );
    this.match(/[ \t]+/y);
    const inner = whole.slice(1);
    const text = inner.replaceAll(quote === '"' ? /\\+"/g : /\\+'/g, (run) =>
      [...run].filter((_char, index) => index % 2 === 1).join(''),
    );
    const closed = /\\+.$/s.test(inner) ? text : text.slice(0, -1);
    return { kind: 'scalar', value: closed, origin: this.origin };
  }

  private sweep(): OverrideFailure {
    return new OverrideFailure(
      'an unquoted comma separates the values of a sweep, but a run has one value per key',
      `for the text itself, put it in quotes: '${this.key}="${this.text}"'; for a list: '${this.key}=[${this.text}]'`,
    );
  }

  private unclosed(bracket: string): never {
    throw new OverrideFailure(`\`${bracket}\` is not closed`);
  }

  private unexpected(): never {
    const found =
      this.at >= this.text.length
        ? 'the value is incomplete'
        : `\`${String.fromCodePoint(this.text.codePointAt(this.at) ?? 0)}\` is not allowed unquoted`;
    throw new OverrideFailure(
      found,
      `put the value in quotes, and the whole argument as well for the shell: '${this.key}="…"'`,
    );
  }
}
