import { madeToken, madeTokenPattern } from '../contract/endpoint-token';

/**
 * Recognizes the tokens that evalsaga makes for endpoints by their form, in plain and in base64: a process that masks a text often
 * does not know their values. Pure.
 */

/** A token in base64: 48 bytes are 64 characters, of which the prefix is the first twelve. */
const encoded = { prefix: Buffer.from(madeToken.prefix, 'latin1').toString('base64'), length: 64 };

interface Form {
  readonly prefix: string;
  readonly length: number;
  /** What may follow the prefix. */
  readonly rest: RegExp;
}

const forms: readonly Form[] = [
  { ...madeToken, rest: /^[A-Za-z0-9]*$/ },
  { ...encoded, rest: /^[A-Za-z0-9+/_-]*$/ },
];

/** Matches a whole token in either form. */
export const madeTokenSource = `${madeTokenPattern}|${encoded.prefix}[A-Za-z0-9+/_-]{${encoded.length - encoded.prefix.length}}`;

/** First characters of a token. */
export const madeTokenBeginnings: readonly string[] = forms.map(({ prefix }) => prefix.charAt(0));

/** Length of the longest beginning of a token that is not a whole one. */
export const longestMadeBeginning = Math.max(...forms.map(({ length }) => length - 1));

/** Whether this may be the beginning of a token that goes on in the next chunk. */
export const mayBecomeMadeToken = (end: string): boolean =>
  forms.some(
    ({ prefix, length, rest }) =>
      end.length < length &&
      (prefix.startsWith(end) || (end.startsWith(prefix) && rest.test(end.slice(prefix.length)))),
  );

const whole = new RegExp(madeTokenSource, 'g');
/** A token that was cut before it was masked. */
const cut = new RegExp(`${madeToken.prefix}[A-Za-z0-9]{4,}(?=…)`, 'g');

/** Replaces made tokens in a text. */
export const withoutMadeTokens = (text: string, mask: string): string => text.replace(whole, mask).replace(cut, mask);
