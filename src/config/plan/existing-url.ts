/** The URL of an endpoint that is there already, in whatever form it was given. Pure. */

export type RequestKind = 'chat' | 'completions' | 'embedding';

const paths: Readonly<Record<RequestKind, string>> = {
  chat: '/chat/completions',
  completions: '/completions',
  embedding: '/embeddings',
};

export type ExistingUrl =
  /** The path says what kind of request it takes. */
  | { readonly kind: 'full'; readonly url: string; readonly takes: RequestKind | undefined }
  /** The root of an OpenAI-compatible server: each task's path is appended. */
  | { readonly kind: 'base'; readonly url: string; readonly query: string }
  | { readonly kind: 'invalid'; readonly message: string; readonly hint: string };

export function readExistingUrl(text: string): ExistingUrl {
  const hint = 'e.g. https://host/v1, or the full request URL https://host/v1/chat/completions';
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text))
    return { kind: 'invalid', message: 'expected an http(s) URL', hint };
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') {
    return {
      kind: 'invalid',
      message: 'the URL holds a user or password, which would end up in histories and logs',
      hint: 'set target.api_endpoint.api_key_name to the name of a variable that holds the key',
    };
  }
  const secret = [...url.searchParams.keys()].find((name) => /key|token|secret|signature|^sig$|password/i.test(name));
  if (secret !== undefined) {
    return {
      kind: 'invalid',
      message: `the URL holds a secret in its query (\`${secret}\`), which would end up in histories and logs`,
      hint: 'set target.api_endpoint.api_key_name to the name of a variable that holds the key',
    };
  }
  const path = url.pathname.replaceAll(/\/{2,}/g, '/').replace(/\/+$/, '');
  const base = `${url.origin}${path}`;
  const takes = (Object.keys(paths) as RequestKind[]).find((kind) => path.endsWith(paths[kind]));
  if (takes !== undefined) return { kind: 'full', url: `${base}${url.search}`, takes };
  if (path === '') return { kind: 'base', url: `${url.origin}/v1`, query: url.search };
  if (/\/v\d+$/.test(path)) return { kind: 'base', url: base, query: url.search };
  return { kind: 'full', url: `${base}${url.search}`, takes: undefined };
}

/** The full request URL for one kind of task. */
export function requestUrl(existing: Exclude<ExistingUrl, { kind: 'invalid' }>, kind: RequestKind): string {
  return existing.kind === 'full' ? existing.url : `${existing.url}${paths[kind]}${existing.query}`;
}
