/** URLs inside other text, and what in them is secret. Pure. */
import { variablesIn } from '../../contract/url-placeholders';
import { isSecretParameter } from '../../secrets/names';
import { looksLikeToken, looksRandom } from '../../secrets/secrecy';
import { secretsInUrl, splitUrl, unescaped } from '../../secrets/secret-url';

/** Matches URLs inside text; quotes and the like end one. */
export const urlsInText = /[a-z][a-z0-9+.-]*:\/\/[^\s"'<>`\\]+/gi;

/** Whether a parameter of a query holds a secret. */
export const isSecretQuery = (name: string, value: string): boolean =>
  // A value may itself contain a query, escaped or not.
  isSecretParameter(name) || looksLikeToken(value) || looksRandom(value) || isSecretParameter(namesIn(value));

const namesIn = (value: string): string => unescaped(value).split('=').slice(0, -1).join('=');

/** Whether the text contains a URL with a secret. */
export const hasUrlSecret = (text: string): boolean =>
  [...text.matchAll(urlsInText)].some(([url]) => variablesIn(url).length === 0 && secretsInUrl(url).length > 0);

/** Returns a URL as lenient parsers read it, if they find a user in it (`https:///me:pw@host`). */
export function normalized(text: string): string {
  const plain = text.replaceAll(/[\t\r\n]/g, '');
  if (splitUrl(plain)?.user !== null || !URL.canParse(plain)) return plain;
  const url = new URL(plain);
  return url.username === '' && url.password === '' ? plain : url.href;
}

/** Escapes characters that would end the user part of a URL. */
export const escapedUser = (user: string): string => user.replaceAll(/[/?#@]/g, encodeURIComponent);

/** Escapes what a URL must not contain, so that the text can stand in double quotes in YAML as it is. */
export const escapedForYaml = (text: string): string =>
  text.replaceAll(/[^\x21-\x7e]|["\\<>`]/gu, (char) => (/^\p{Surrogate}$/u.test(char) ? '' : encodeURIComponent(char)));
