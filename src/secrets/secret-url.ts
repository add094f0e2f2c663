/**
 * URLs that hold a secret: a user and password, or a key in the query. In plans, and in all that is shown, a placeholder
 * stands for it that names the variable with the value: `https://***EVALSAGA_URL_SECRET_1***@host/v1`. Pure.
 */
import { isSecretParameter } from './names';

/** What a URL consists of, as it was written; put together they are the URL again. */
export interface UrlParts {
  /** `https://` */
  readonly scheme: string;
  /** Before the `@`; `null`: there is none. */
  readonly user: string | null;
  readonly host: string;
  readonly path: string;
  /** Between `&`s, without the `?`. */
  readonly query: readonly { readonly name: string; readonly value: string | null }[];
  /** With its `#`. */
  readonly fragment: string;
}

/** `undefined`: not a URL with an authority. A password's own `/`, `?`, `#` and `@` must be escaped; if not, it is found all the same. */
export function splitUrl(text: string): UrlParts | undefined {
  const strict = /^([a-z][a-z0-9+.-]*:\/\/)(?:([^/?#]*)@)?([^/?#]*)([^?#]*)(?:\?([^#]*))?(#.*)?$/is.exec(text);
  const loose = /^([a-z][a-z0-9+.-]*:\/\/)(.*)@([^/?#@]*)([^?#@]*)(?:\?([^#@]*))?(#[^@]*)?$/is.exec(text);
  const found = strict !== null && (loose === null || URL.canParse(text)) ? strict : (loose ?? strict);
  if (found === null) return undefined;
  const [, scheme = '', user, host = '', path = '', query, fragment = ''] = found;
  return { scheme, user: user === undefined || user === '' ? null : user, host, path, query: pairsOf(query), fragment };
}

export const joinUrl = ({ scheme, user, host, path, query, fragment }: UrlParts): string => {
  const pairs = query.map(({ name, value }) => (value === null ? name : `${name}=${value}`)).join('&');
  return `${scheme}${user === null ? '' : `${user}@`}${host}${path}${pairs === '' ? '' : `?${pairs}`}${fragment}`;
};

const pairsOf = (query: string | undefined): UrlParts['query'] =>
  query === undefined
    ? []
    : query.split('&').map((pair) => {
        const equal = pair.indexOf('=');
        return equal === -1
          ? { name: pair, value: null }
          : { name: pair.slice(0, equal), value: pair.slice(equal + 1) };
      });

/** What must not be seen of a URL's text: user and password, the password alone, keys in the query. */
export function secretsInUrl(text: string): readonly string[] {
  const parts = splitUrl(text);
  if (parts === undefined) return [];
  const { user, query } = parts;
  const password = user?.includes(':') === true ? user.slice(user.indexOf(':') + 1) : null;
  const keys = query.flatMap(({ name, value }) => (value !== null && isSecretParameter(name) ? [value] : []));
  return [user, password, ...keys]
    .filter((part): part is string => part !== null && part !== '')
    .flatMap((part) => [part, unescaped(part)]);
}

/** Percent escapes read; the text itself where they are none. */
export function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
