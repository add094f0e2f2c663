import { fetch, type RequestInit } from 'undici';
import type { ProbeSpec } from '../contract/plan';
import { splitUrl, unescaped } from '../secrets/secret-url';
import { probingDispatcher } from './dispatcher';
import { explainCause } from './call-errors';
import { isSecretParameter } from '../secrets/names';
import { within } from '../support/within';

export type ProbeVerdict =
  | { readonly kind: 'ready' }
  | { readonly kind: 'not yet'; readonly message: string }
  /** `doubtful`: the answer may be that of a proxy before the server, which has no route to it just now. */
  | { readonly kind: 'mismatch'; readonly message: string; readonly doubtful?: true };

/** Milliseconds for a question that a healthy server answers from memory. Slow probes have been seen to take 3 s. */
const requestTimeoutMs = 10_000;
/** Milliseconds for the warm-up: the first request compiles and loads. */
const warmUpTimeoutMs = 60_000;
/** Milliseconds after which an unanswered warm-up is told, while it still goes on. */
const defaultSlowAfterMs = 5_000;

export interface ProbeRequest {
  /** Base URL of a dedicated endpoint, full request URL of an existing one. */
  readonly url: string;
  /**
   * `dedicated`: a server of the run's own, which must list the model; what it does not answer yet, it will. `existing`: a
   * server of any make, which may know no listing (404): then one real request says whether it serves the model.
   */
  readonly kind: 'dedicated' | 'existing';
  readonly probe: ProbeSpec;
  /** Sent as bearer; `null`: not known here. */
  readonly key: string | null;
  readonly signal: AbortSignal;
  /** Told once when the warm-up takes long: a server that hangs must not look like one that was never asked. */
  readonly onSlow?: (message: string) => void;
  /** Milliseconds for the warm-up instead of a generous default. */
  readonly warmUpTimeoutMs?: number;
  /** Milliseconds after which a warm-up takes long. */
  readonly slowAfterMs?: number;
}

/**
 * Whether the server serves the model: health path, the listing of models with the served name in it, one tiny request.
 * Without the key, where the run has one (a secret of the workspace), a 401 means "up, and protected", which is all that
 * can be known; where the run has none, it means that the run's jobs would be refused too.
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

/** One question to an endpoint of the run's own that is up: traffic, whatever the answer. */
export async function requestModels({ url, key, signal }: Pick<ProbeRequest, 'url' | 'key' | 'signal'>): Promise<void> {
  const headers: Record<string, string> = key === null ? {} : { authorization: `Bearer ${key}` };
  await send(serverUrls(url).models, { headers }, { timeoutMs: requestTimeoutMs, signal });
}

/** How servers answer that have no listing of models. */
const noListingStatuses: readonly number[] = [400, 404, 405, 410, 501];

/** A signature in the query may be good for the request alone: then that has the last word. */
function acceptedListingStatuses({ kind, url, probe }: ProbeRequest): readonly number[] {
  if (kind !== 'existing') return [];
  return isSigned(url) && probe.warmUp !== 'none' ? [...noListingStatuses, 401, 403] : noListingStatuses;
}

/** The query holds a key or a signature. */
const isSigned = (url: string): boolean => splitUrl(url)?.query.some(({ name }) => isSecretParameter(name)) === true;

/** User and password of a URL, as the header says them; `null`: it has none. */
function userOf(url: string): string | null {
  const { username, password } = new URL(url);
  if (username === '' && password === '') return null;
  return Buffer.from(`${unescaped(username)}:${unescaped(password)}`, 'utf8').toString('base64');
}

/** As it is asked: `fetch` refuses a URL with user and password, which go into a header. */
function withoutUser(text: string): string {
  const url = new URL(text);
  url.username = '';
  url.password = '';
  return url.toString();
}

type SendRequest = (url: string, init?: RequestInit, timeoutMs?: number) => Promise<Answer>;

/** `undefined`: the model is there, or only a request can tell. */
function judgeListing(listing: Answer, { kind, probe }: ProbeRequest): ProbeVerdict | undefined {
  if (listing.kind !== 'answer' || listing.status >= 300) return undefined;
  const served = servedModels(listing.body);
  if (kind === 'existing' && (served === undefined || served.length === 0)) return undefined;
  if (served === undefined)
    return { kind: 'not yet', message: `GET /v1/models answers something that is not a list of models` };
  if (served.includes(probe.servedModel)) return undefined;
  const shown = served.slice(0, 10).map((name) => `"${name}"`);
  const names = `${shown.join(', ') || 'no model'}${served.length > shown.length ? ', …' : ''}`;
  return {
    kind: 'mismatch',
    message: `the endpoint serves ${names}, the run asks for "${probe.servedModel}". Set the same name on both sides (deployment.served_model_name, or target.api_endpoint.model_id for an existing endpoint).`,
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
  const silent = `${path} does not answer, although /v1/models does: the server is up, but generates nothing`;
  const slow = setTimeout(() => request.onSlow?.(silent), request.slowAfterMs ?? defaultSlowAfterMs);
  const answer = await ask(url, { method: 'POST', body: payload }, request.warmUpTimeoutMs ?? warmUpTimeoutMs).finally(
    () => clearTimeout(slow),
  );
  if (answer.kind === 'silence' && answer.timedOut) return { kind: 'not yet', message: silent };
  if (kind === 'existing' && answer.kind === 'answer' && answer.status === 404) {
    const said = answer.body.replace(/\s+/g, ' ').trim().slice(0, 200);
    return {
      kind: 'mismatch',
      doubtful: true,
      message: `POST ${path} answers 404${said === '' ? '' : ` (${said})`}: the endpoint does not serve "${probe.servedModel}" there. Check target.api_endpoint.url and target.api_endpoint.model_id.`,
    };
  }
  // A server that finds fault with so small a request is up: the evaluation's own requests are better made.
  return judge(answer, path, request, [400, 413, 422]) ?? { kind: 'ready' };
}

/** An existing endpoint is asked where its jobs will ask, whatever that path is; one of another kind, beside it. */
function warmUpUrl({ kind, url }: ProbeRequest, path: string): string {
  const { root, takes } = serverUrls(url);
  if (kind === 'existing' && (takes === undefined || path === `/v1${takes}`)) return withoutUser(url);
  const { search } = new URL(url);
  return takes === undefined ? `${root}${path}${search}` : `${requestRoot(url)}${path.replace('/v1', '')}${search}`;
}

type Answer =
  | { readonly kind: 'answer'; readonly status: number; readonly body: string }
  | { readonly kind: 'silence'; readonly reason: string; readonly timedOut: boolean };

/** `undefined`: fine so far. `fine`: statuses beyond 299 that are no obstacle. */
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
      message: `${path} refuses the user and password (${status}): check those in target.api_endpoint.url`,
    };
  if (key !== null) {
    const where =
      kind === 'existing'
        ? 'the variable that target.api_endpoint.api_key_name names holds the key of this endpoint'
        : 'deployment.lepton_config.api_tokens and target.api_endpoint.api_key_name name the same token';
    return { kind: 'mismatch', message: `${path} refuses the key (${status}): check that ${where}` };
  }
  if (probe.token !== null) return undefined;
  if (isSigned(url))
    return {
      kind: 'mismatch',
      message: `${path} refuses the request (${status}): check the query of target.api_endpoint.url, and whether a signature in it is still good`,
    };
  return {
    kind: 'mismatch',
    message: `${path} wants a key (${status}), and the run has none: name the variable that holds it in target.api_endpoint.api_key_name`,
  };
}

async function send(
  url: string,
  init: RequestInit,
  bounds: { timeoutMs: number; signal: AbortSignal },
): Promise<Answer> {
  const ask = async (signal: AbortSignal): Promise<Answer> => {
    // An endpoint of the service is as far away as the service itself: the same proxies lead to both.
    const response = await fetch(url, { ...init, signal, redirect: 'manual', dispatcher: probingDispatcher() });
    const body = await response.text();
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

/** Where a server has what: `root` is what stands before `/v1`, `models` its listing, `takes` the kind of request of the URL. Pure. */
export function serverUrls(url: string): { root: string; models: string; takes: string | undefined } {
  const { origin, pathname, search } = new URL(url);
  const path = pathname.replace(/\/+$/, '');
  const cut = path.search(/\/v1(\/|$)/);
  const root = `${origin}${cut === -1 ? path : path.slice(0, cut)}`;
  const takes = requestPaths.find((request) => path.endsWith(request));
  return { root, takes, models: `${takes === undefined ? `${root}/v1` : requestRoot(url)}/models${search}` };
}

/** `https://h/v2/chat/completions?x=1` → `https://h/v2`. */
function requestRoot(url: string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname.replace(/\/+$/, '').replace(/\/(chat\/completions|completions|embeddings)$/, '')}`;
}
