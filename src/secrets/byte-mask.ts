import { escapeRegExp } from '../support/escape-regexp';
import { secretForms } from './masking';

/** Replaces secrets in bytes that come in pieces, wherever they are cut; what is no secret passes unchanged, text or not. */
export class ByteMask {
  private readonly forms: RegExp | undefined;
  private readonly plain: readonly string[];
  private readonly beginnings: ReadonlySet<string>;
  /** Longest beginning of a secret. */
  private readonly longest: number;
  private carry = '';
  /** Secrets that were replaced so far. */
  found = 0;

  /** `keepLength`: as many characters stand for a secret as it had. */
  constructor(
    secrets: readonly string[],
    private readonly options: { readonly keepLength?: boolean } = {},
  ) {
    // Latin-1 holds any byte in one character, so that searching text is searching bytes.
    const forms = secretForms(secrets).map((form) => Buffer.from(form, 'utf8').toString('latin1'));
    this.plain = forms;
    this.beginnings = new Set(forms.map((form) => form.charAt(0)));
    this.longest = Math.max(0, ...forms.map((form) => form.length - 1));
    const longestFirst = forms.sort((a, b) => b.length - a.length).map(escapeRegExp);
    this.forms = forms.length === 0 ? undefined : new RegExp(longestFirst.join('|'), 'g');
  }

  /** There is nothing to replace. */
  get isEmpty(): boolean {
    return this.forms === undefined;
  }

  /** What can be passed on by now. */
  push(piece: Uint8Array): Uint8Array {
    if (this.forms === undefined) return piece;
    const text = this.carry + Buffer.from(piece).toString('latin1');
    return this.mask(text, this.forms, this.settled(text));
  }

  /** The rest. */
  end(): Uint8Array {
    return this.forms === undefined ? Buffer.alloc(0) : this.mask(this.carry, this.forms, this.carry.length);
  }

  /** Up to where nothing can belong to a secret that goes on in the next piece: only its possible beginning is held back. */
  private settled(text: string): number {
    for (let at = Math.max(0, text.length - this.longest); at < text.length; at += 1) {
      if (!this.beginnings.has(text[at] ?? '')) continue;
      const end = text.slice(at);
      if (this.plain.some((form) => form.length > end.length && form.startsWith(end))) return at;
    }
    return text.length;
  }

  /** Masks what begins before `until`; a secret that begins there ends within the text. */
  private mask(text: string, forms: RegExp, until: number): Uint8Array {
    let out = '';
    let done = 0;
    forms.lastIndex = 0;
    for (let found = forms.exec(text); found !== null && found.index < until; found = forms.exec(text)) {
      this.found += 1;
      out += text.slice(done, found.index) + (this.options.keepLength ? '*'.repeat(found[0].length) : '***');
      done = found.index + found[0].length;
    }
    const end = Math.max(done, until);
    this.carry = text.slice(end);
    return Buffer.from(out + text.slice(done, end), 'latin1');
  }
}

/** The same bytes, masked as they come. */
export async function* maskedBytes(
  source: AsyncIterable<Uint8Array>,
  secrets: readonly string[],
): AsyncGenerator<Uint8Array, void, undefined> {
  const mask = new ByteMask(secrets);
  for await (const piece of source) yield mask.push(piece);
  yield mask.end();
}
