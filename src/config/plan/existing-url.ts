/** The URL of an existing endpoint, given as base URL or request URL. Secrets in it are placeholders. Pure. */
import type { RequestKind } from '../catalogue/choose-task';

const paths: Readonly<Record<RequestKind, string>> = {
  chat: '/chat/completions',
  completions: '/completions',
  embedding: '/embeddings',
};

export type ExistingUrl =
  /** A request URL; `takes` is `undefined` if its path does not say which kind of request it takes. */
  | { readonly kind: 'full'; readonly url: string; readonly takes: RequestKind | undefined }
  /** The base URL of an OpenAI-compatible server, to which each task appends its path. */
  | { readonly kind: 'base'; readonly url: string; readonly query: string }
  | { readonly kind: 'invalid'; readonly message: string; readonly hint: string };

export function readExistingUrl(text: string): ExistingUrl {
  const hint = text.includes('@')
    ? 'in a user and password, escape / ? # @ : as %2F %3F %23 %40 %3A'
    : 'e.g. https://host/v1, or the full request URL https://host/v1/chat/completions';
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text))
    return { kind: 'invalid', message: 'expected an http(s) URL', hint };
  const url = new URL(text);
  const path = url.pathname.replaceAll(/\/{2,}/g, '/').replace(/\/+$/, '');
  const user = url.username === '' ? '' : `${url.username}${url.password === '' ? '' : `:${url.password}`}@`;
  const server = `${url.protocol}//${user}${url.host}`;
  const base = `${server}${path}`;
  const takes = (Object.keys(paths) as RequestKind[]).find((kind) => path.endsWith(paths[kind]));
  if (takes !== undefined) return { kind: 'full', url: `${base}${url.search}`, takes };
  if (path === '') return { kind: 'base', url: `${server}/v1`, query: url.search };
  if (/\/v\d+$/.test(path)) return { kind: 'base', url: base, query: url.search };
  return { kind: 'full', url: `${base}${url.search}`, takes: undefined };
}

/** Returns the request URL for one kind of task. */
export function requestUrl(existing: Exclude<ExistingUrl, { kind: 'invalid' }>, kind: RequestKind): string {
  return existing.kind === 'full' ? existing.url : `${existing.url}${paths[kind]}${existing.query}`;
}

/** Whether the URL's address is only valid within some network, which need not be that of the platform. */
export function isPrivateUrl(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { hostname } = new URL(url);
  const isPrivateAddress =
    /^(?:10\.|192\.168\.|169\.254\.|172\.(?:1[6-9]|2\d|3[01])\.|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.)/.test(
      hostname,
    ) || /^\[f[cde]/.test(hostname);
  const isLocalName = !/[.:]/.test(hostname) || /\.(?:local|internal|lan|home|corp|svc)$/.test(hostname);
  return isPrivateAddress || isLocalName;
}

/** Whether the URL is of this machine, e.g. localhost. In a container elsewhere it would be the container. */
export function isLoopbackUrl(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { hostname } = new URL(url);
  return /^(?:localhost|.*\.localhost|host\.docker\.internal|127(?:\.\d+){3}|0\.0\.0\.0|\[::1?\])$/.test(hostname);
}
