import { escapeRegExp } from '../support/escape-regexp';
import { longestMadeBeginning, madeTokenBeginnings, madeTokenSource, mayBecomeMadeToken } from './made-tokens';
import { secretForms } from './masking';

/**
 * Replaces secrets, and tokens made for endpoints, in a stream of bytes, also across chunk boundaries. All other bytes pass
 * unchanged, text or not.
 */
export class ByteMask {
  private readonly forms: RegExp;
  private readonly plain: readonly string[];
  private readonly beginnings: ReadonlySet<string>;
  /** Longest beginning of a secret. */
  private readonly longest: number;
  private carry = '';
  /** Secrets that were replaced so far. */
  found = 0;

  /** `keepLength`: the mask is as long as the secret. */
  constructor(
    secrets: readonly string[],
    private readonly options: { readonly keepLength?: boolean } = {},
  ) {
    // In Latin-1 every byte is one character, so a text search finds bytes.
    const forms = secretForms(secrets).map((form) => Buffer.from(form, 'utf8').toString('latin1'));
    this.plain = forms;
    this.beginnings = new Set([...madeTokenBeginnings, ...forms.map((form) => form.charAt(0))]);
    this.longest = Math.max(longestMadeBeginning, ...forms.map((form) => form.length - 1));
    const longestFirst = forms.sort((a, b) => b.length - a.length).map(escapeRegExp);
    this.forms = new RegExp([...longestFirst, madeTokenSource].join('|'), 'g');
  }

  /** Returns the bytes that can be passed on so far. */
  push(piece: Uint8Array): Uint8Array {
    const text = this.carry + Buffer.from(piece).toString('latin1');
    return this.mask(text, this.forms, this.settled(text));
  }

  /** Returns the remaining bytes. */
  end(): Uint8Array {
    return this.mask(this.carry, this.forms, this.carry.length);
  }

  /** Returns the length of the text that can't be part of a secret that continues in the next chunk. */
  private settled(text: string): number {
    for (let at = Math.max(0, text.length - this.longest); at < text.length; at += 1) {
      if (!this.beginnings.has(text[at] ?? '')) continue;
      const end = text.slice(at);
      const isBeginning = this.plain.some((form) => form.length > end.length && form.startsWith(end));
      if (isBeginning || mayBecomeMadeToken(end)) return at;
    }
    return text.length;
  }

  /** Masks secrets that begin before `until`; they end within the text. */
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

/** Returns the bytes of a stream, masked. */
export async function* maskedBytes(
  source: AsyncIterable<Uint8Array>,
  secrets: readonly string[],
): AsyncGenerator<Uint8Array, void, undefined> {
  const mask = new ByteMask(secrets);
  for await (const piece of source) yield mask.push(piece);
  yield mask.end();
}
