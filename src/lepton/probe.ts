import type { ProbeSpec } from '../contract/plan';
import { splitUrl, unescaped } from '../secrets/secret-url';
import { probingDispatcher } from './dispatcher';
import { explainCause } from './call-errors';
import type { FetchInit } from './http';
import { leanFetch } from './lean-fetch';
import { isSecretParameter } from '../secrets/names';
import { within } from '../support/within';

export type ProbeVerdict =
  | { readonly kind: 'ready' }
  | { readonly kind: 'not yet'; readonly message: string }
  | { readonly kind: 'mismatch'; readonly message: string; readonly doubt?: ProbeDoubt };

/**
 * Why a mismatch may pass. `model unknown`: the server says 404 about this model, which it may load later. `no route`: a 404 that does
 * not name the model, as from a gateway that has no route to the server at the moment. `new token`: a proxy may not know the
 * endpoint's token yet.
 */
export type ProbeDoubt = 'model unknown' | 'no route' | 'new token';

/** Timeout of requests that a healthy server answers from memory, in milliseconds. Slow ones were seen to take 3 s. */
const requestTimeoutMs = 10_000;
/** Timeout of the warm-up request in milliseconds: the first request may compile and load. */
const warmUpTimeoutMs = 60_000;
/** Milliseconds after which an unanswered warm-up request is reported as slow. */
const defaultSlowAfterMs = 5_000;

export interface ProbeRequest {
  /** Base URL of a dedicated endpoint, full request URL of an existing one. */
  readonly url: string;
  /**
   * `dedicated`: the run's own server, which must list the model and may not have all routes yet. `existing`: any server; if
   * it cannot list models (404), a real request decides whether it serves the model.
   */
  readonly kind: 'dedicated' | 'existing';
  readonly probe: ProbeSpec;
  /** Sent as bearer token; `null`: not known here. */
  readonly key: string | null;
  readonly signal: AbortSignal;
  /** Called once if the warm-up is slow, so that a hanging server can be told from one that was never called. */
  readonly onSlow?: (message: string) => void;
  /** Timeout of the warm-up in milliseconds; default 60,000. */
  readonly warmUpTimeoutMs?: number;
  /** Milliseconds after which a warm-up is slow; default 5,000. */
  readonly slowAfterMs?: number;
}

/**
 * Checks whether the server serves the model, with three requests: the health path, the list of models, which must contain the
 * served name, and one tiny completion. If the run has a key that is not known here (a secret of the workspace), a 401 only says
 * that the server is up and protected, which has to suffice. If the run has no key, its jobs would be refused as well.
 */
export async function probeModel(request: ProbeRequest): Promise<ProbeVerdict> {
  const { probe, key } = request;
  const ask: SendRequest = (url, init = {}, timeoutMs = requestTimeoutMs) => {
    const user = userOf(request.url);
    const authorization = user === null ? (key === null ? null : `Bearer ${key}`) : `Basic ${user}`;
    const headers = { ...(authorization === null ? {} : { authorization }), 'content-type': 'application/json' };
    return send(url, { ...init, headers }, { timeoutMs, signal: request.signal });
  };
  const { root, models } = serverUrls(request.url);
  if (probe.healthPath !== null) {
    const health = await ask(`${root}${probe.healthPath}`);
    const verdict = judge(health, probe.healthPath, request, [404]);
    if (verdict) return verdict;
  }
  const listing = await ask(models);
  const verdict = judge(listing, '/v1/models', request, acceptedListingStatuses(request));
  return verdict ?? judgeListing(listing, request) ?? warmUp(request, ask);
}

/** Sends one request to the run's own endpoint, whose answer does not matter, as traffic that keeps it from scaling down. */
export async function requestModels({ url, key, signal }: Pick<ProbeRequest, 'url' | 'key' | 'signal'>): Promise<void> {
  const headers: Record<string, string> = key === null ? {} : { authorization: `Bearer ${key}` };
  await send(serverUrls(url).models, { headers }, { timeoutMs: requestTimeoutMs, signal });
}

/** Statuses with which servers answer that cannot list models. */
const noListingStatuses: readonly number[] = [400, 404, 405, 410, 501];

/** Returns statuses of the list of models that are no obstacle. A signature in the query may be valid for the real request only, which then decides. */
function acceptedListingStatuses({ kind, url, probe }: ProbeRequest): readonly number[] {
  if (kind !== 'existing') return [];
  return isSigned(url) && probe.warmUp !== 'none' ? [...noListingStatuses, 401, 403] : noListingStatuses;
}

/** Whether the query contains a key or a signature. */
const isSigned = (url: string): boolean => splitUrl(url)?.query.some(({ name }) => isSecretParameter(name)) === true;

/** Returns user and password of a URL as in a Basic authorization header; `null` if it has none. */
function userOf(url: string): string | null {
  const { username, password } = new URL(url);
  if (username === '' && password === '') return null;
  return Buffer.from(`${unescaped(username)}:${unescaped(password)}`, 'utf8').toString('base64');
}

/** Removes user and password, which `fetch` refuses in a URL; they are sent in a header. */
function withoutUser(text: string): string {
  const url = new URL(text);
  url.username = '';
  url.password = '';
  return url.toString();
}

type SentInit = Partial<Pick<FetchInit, 'method' | 'headers' | 'body'>>;
type SendRequest = (url: string, init?: SentInit, timeoutMs?: number) => Promise<Answer>;

/** Returns `undefined` if the model is listed, or if only a real request can tell. */
function judgeListing(listing: Answer, { kind, probe }: ProbeRequest): ProbeVerdict | undefined {
  if (listing.kind !== 'answer' || listing.status >= 300) return undefined;
  const served = servedModels(listing.body);
  if (kind === 'existing' && (served === undefined || served.length === 0)) return undefined;
  if (served === undefined) return { kind: 'not yet', message: 'GET /v1/models does not return a list of models' };
  if (served.includes(probe.servedModel)) return undefined;
  const shown = served.slice(0, 10).map((name) => `"${name}"`);
  const names = `${shown.join(', ') || 'no model'}${served.length > shown.length ? ', …' : ''}`;
  return {
    kind: 'mismatch',
    message: `the endpoint serves ${names}, but the run requests "${probe.servedModel}". Set the same name on both sides (deployment.served_model_name, or target.api_endpoint.model_id for an existing endpoint).`,
  };
}

const warmUps = {
  chat: { path: '/v1/chat/completions', body: { messages: [{ role: 'user', content: 'Hi' }] } },
  completions: { path: '/v1/completions', body: { prompt: 'Hi' } },
} as const;

async function warmUp(request: ProbeRequest, ask: SendRequest): Promise<ProbeVerdict> {
  const { probe, kind } = request;
  if (probe.warmUp === 'none') return { kind: 'ready' };
  const { path, body } = warmUps[probe.warmUp];
  const url = warmUpUrl(request, path);
  const payload = JSON.stringify({ model: probe.servedModel, max_tokens: 1, ...body });
  const silent = `${path} does not answer, although /v1/models does: the server is up, but does not generate`;
  const slow = setTimeout(() => request.onSlow?.(silent), request.slowAfterMs ?? defaultSlowAfterMs);
  const answer = await ask(url, { method: 'POST', body: payload }, request.warmUpTimeoutMs ?? warmUpTimeoutMs).finally(
    () => clearTimeout(slow),
  );
  if (answer.kind === 'silence' && answer.timedOut) return { kind: 'not yet', message: silent };
  if (kind === 'existing' && answer.kind === 'answer' && answer.status === 404) {
    const said = answer.body.replace(/\s+/g, ' ').trim().slice(0, 200);
    return {
      kind: 'mismatch',
      doubt: answer.body.includes(probe.servedModel) ? 'model unknown' : 'no route',
      message: `POST ${path} answers 404${said === '' ? '' : ` (${said})`}: the endpoint does not serve "${probe.servedModel}" there. Check target.api_endpoint.url and target.api_endpoint.model_id.`,
    };
  }
  // A server that rejects such a tiny request is up; it may well accept the evaluation's requests.
  return judge(answer, path, request, [400, 413, 422]) ?? { kind: 'ready' };
}

/** Returns where to send the warm-up. For an existing endpoint it is the URL that the jobs will call, or its sibling if that takes another kind of request. */
function warmUpUrl({ kind, url }: ProbeRequest, path: string): string {
  const { root, takes } = serverUrls(url);
  if (kind === 'existing' && (takes === undefined || path === `/v1${takes}`)) return withoutUser(url);
  const { search } = new URL(url);
  return takes === undefined ? `${root}${path}${search}` : `${requestRoot(url)}${path.replace('/v1', '')}${search}`;
}

type Answer =
  | { readonly kind: 'answer'; readonly status: number; readonly body: string }
  | { readonly kind: 'silence'; readonly reason: string; readonly timedOut: boolean };

/** Returns `undefined` if the answer is no obstacle. `fine`: statuses from 300 that are none. */
function judge(
  answer: Answer,
  path: string,
  { url, key, probe, kind }: ProbeRequest,
  fine: readonly number[],
): ProbeVerdict | undefined {
  if (answer.kind === 'silence') return { kind: 'not yet', message: `${path} does not answer (${answer.reason})` };
  const { status } = answer;
  if (status < 300 || fine.includes(status)) return undefined;
  if (status !== 401 && status !== 403) return { kind: 'not yet', message: `${path} answers ${status}` };
  if (new URL(url).username !== '')
    return {
      kind: 'mismatch',
      message: `${path} rejects the user and password (${status}): check them in target.api_endpoint.url`,
    };
  if (key !== null && probe.token?.kind === 'made')
    return {
      kind: 'mismatch',
      doubt: 'new token',
      message: `${path} rejects the token that this run made for the endpoint (${status}). If the server itself asks for a key (--api-key), name that key in deployment.lepton_config.api_tokens`,
    };
  if (key !== null) {
    const where =
      kind === 'existing'
        ? 'the variable named in target.api_endpoint.api_key_name holds the key of this endpoint'
        : 'deployment.lepton_config.api_tokens and target.api_endpoint.api_key_name name the same token';
    return { kind: 'mismatch', message: `${path} rejects the key (${status}): check that ${where}` };
  }
  if (probe.token !== null) return undefined;
  if (isSigned(url))
    return {
      kind: 'mismatch',
      message: `${path} rejects the request (${status}): check the query of target.api_endpoint.url, and whether a signature in it is still valid`,
    };
  return {
    kind: 'mismatch',
    message: `${path} requires a key (${status}), but the run has none: set target.api_endpoint.api_key_name to the variable that holds it`,
  };
}

async function send(
  url: string,
  { method = 'GET', headers = {}, body: payload }: SentInit,
  bounds: { timeoutMs: number; signal: AbortSignal },
): Promise<Answer> {
  const ask = async (signal: AbortSignal): Promise<Answer> => {
    // Endpoints are reached through the same proxies as the service itself.
    const sent = {
      method,
      headers,
      signal,
      redirect: 'manual',
      ...(payload === undefined ? {} : { body: payload }),
    } as const;
    const response = await leanFetch(url, sent, probingDispatcher());
    const pieces: Uint8Array[] = [];
    for await (const piece of response.body ?? []) pieces.push(piece);
    const body = Buffer.concat(pieces).toString('utf8');
    return { kind: 'answer', status: response.status, body: body.slice(0, 1_000_000) };
  };
  try {
    return await within({ ms: bounds.timeoutMs, signal: bounds.signal }, ask);
  } catch (error) {
    if (bounds.signal.aborted) throw error;
    const timedOut = (error as Error).name === 'TimeoutError';
    const reason = timedOut ? `nothing within ${bounds.timeoutMs / 1_000} s` : explainCause(error);
    return { kind: 'silence', reason, timedOut };
  }
}

function servedModels(body: string): string[] | undefined {
  try {
    const parsed = JSON.parse(body) as { data?: { id?: unknown }[] };
    if (!Array.isArray(parsed.data)) return undefined;
    return parsed.data.map(({ id }) => id).filter((id): id is string => typeof id === 'string');
  } catch {
    return undefined;
  }
}

const requestPaths = ['/chat/completions', '/completions', '/embeddings'] as const;

/** Returns a server's URLs: `root` is what precedes `/v1`, `models` the list of models, `takes` the path of a request URL. Pure. */
export function serverUrls(url: string): { root: string; models: string; takes: string | undefined } {
  const { origin, pathname, search } = new URL(url);
  const path = pathname.replace(/\/+$/, '');
  const cut = path.search(/\/v1(\/|$)/);
  const root = `${origin}${cut === -1 ? path : path.slice(0, cut)}`;
  const takes = requestPaths.find((request) => path.endsWith(request));
  return { root, takes, models: `${takes === undefined ? `${root}/v1` : requestRoot(url)}/models${search}` };
}

/** Returns the base URL of a request URL: `https://h/v2/chat/completions?x=1` → `https://h/v2`. */
function requestRoot(url: string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname.replace(/\/+$/, '').replace(/\/(chat\/completions|completions|embeddings)$/, '')}`;
}
