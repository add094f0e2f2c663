import { fetch as undiciFetch } from 'undici';
import { sharedDispatcher } from './dispatcher';
import type { LeptonError } from './lepton-error';
import { discard, Exchange, readText, type FetchResponse } from './exchange';
import { invalidResponse, statusError } from './call-errors';
import { secretsOfBody } from '../secrets/masking';
import { withRetries, type RetryOptions } from './retry';
import type { CallOptions, PlatformAccess } from './types';
import type { ServerClock } from './server-clock';

/** One HTTP call each: bounded in time and size, abortable, and failing with `LeptonError` only (or the abort's reason). */

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface HttpCall {
  readonly method: Method;
  /** Below the workspace, percent-encoded, e.g. `/deployments/a`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** The route is there in every workspace: a 404 comes from something in front of the service, or from a service in trouble. */
  readonly isCoreRoute?: boolean;
  /** Statuses beyond 399 that are an answer, not a failure. */
  readonly acceptedStatuses?: readonly number[];
  /** The bytes as they are stored: not compressed for the way. */
  readonly uncompressed?: boolean;
  readonly options?: CallOptions | undefined;
}

/** The part of `fetch` that is used; tests and embedders may bring their own. */
export type Fetch = (url: string, init: FetchInit) => Promise<FetchResponse>;

export interface FetchInit {
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body?: string;
  readonly signal: AbortSignal;
  readonly redirect: 'follow' | 'manual';
}

/** `not found` is one witness only: whoever acts on absence also asks the listing. */
export type LookupResult = { readonly kind: 'found'; readonly value: unknown } | { readonly kind: 'not found' };

export interface Http {
  /** The answer's JSON; `undefined` for a status of `acceptedStatuses`. */
  json(call: HttpCall): Promise<unknown>;
  /** As `json`, where 404 is an answer. */
  lookup(call: HttpCall): Promise<LookupResult>;
  /** Status and headers; the answer's body is not read. */
  send(call: HttpCall): Promise<Pick<FetchResponse, 'status' | 'headers'>>;
  /** The body as it arrives. `idleTimeoutMs`: longest silence between two pieces before the connection counts as cut; `null`: any. */
  stream(call: HttpCall, bounds: { idleTimeoutMs: number | null }): AsyncGenerator<Uint8Array, void, undefined>;
}

export const defaultTimeoutMs = 30_000;

/** Largest JSON answer that is read: a listing of many thousand jobs is far below it. */
const maxJsonBytes = 64 * 1024 * 1024;
const maxErrorBytes = 64 * 1024;

const defaultFetch: Fetch = (url, init) => undiciFetch(url, { ...init, dispatcher: sharedDispatcher() });

export interface HttpSettings {
  /** Told the date of every answer. */
  readonly clock?: ServerClock | undefined;
  readonly fetch?: Fetch | undefined;
  readonly timeoutMs?: number | undefined;
  readonly retry?: RetryOptions | undefined;
}

/** What may have been done already, and is the same when it is done again. */
const idempotentMethods: ReadonlySet<Method> = new Set(['GET', 'HEAD', 'PUT', 'DELETE']);

export function createHttp(access: PlatformAccess, settings: HttpSettings): Http {
  const open = createSender(access, settings);

  const exchangeFor = (call: HttpCall): Exchange =>
    new Exchange(
      { request: `${call.method} ${call.path}`, access, secrets: [access.token, ...secretsOfBody(call.json)] },
      call.options?.timeoutMs ?? settings.timeoutMs ?? defaultTimeoutMs,
      call.options?.signal,
    );

  const attempt = async <T>(
    call: HttpCall,
    read: (response: FetchResponse, exchange: Exchange) => Promise<T>,
  ): Promise<T> => {
    const exchange = exchangeFor(call);
    try {
      return await read(await open(call, exchange), exchange);
    } finally {
      exchange.end();
    }
  };

  const withRetry: typeof attempt = (call, read) =>
    settings.retry && idempotentMethods.has(call.method)
      ? withRetries(() => attempt(call, read), { ...settings.retry, signal: call.options?.signal })
      : attempt(call, read);

  return {
    json: (call) =>
      withRetry(call, (response, exchange) =>
        call.acceptedStatuses?.includes(response.status) ? discard(response) : readJson(exchange, response),
      ),
    lookup: (call) =>
      withRetry({ ...call, acceptedStatuses: [404] }, async (response, exchange): Promise<LookupResult> => {
        if (response.status !== 404) return { kind: 'found', value: await readJson(exchange, response) };
        await discard(response);
        return { kind: 'not found' };
      }),
    send: (call) =>
      withRetry(call, async (response) => {
        await discard(response);
        return { status: response.status, headers: response.headers };
      }),
    async *stream(call, { idleTimeoutMs }) {
      const exchange = exchangeFor(call);
      try {
        const response = await open(call, exchange);
        exchange.restartTimer(idleTimeoutMs);
        for await (const chunk of exchange.pieces(response.body)) {
          exchange.restartTimer(null); // the reader may take its time
          yield chunk;
          exchange.restartTimer(idleTimeoutMs);
        }
      } finally {
        exchange.end();
      }
    },
  };
}

/** Sends a call and refuses what is not a success. */
function createSender(
  access: PlatformAccess,
  { fetch = defaultFetch, clock }: HttpSettings,
): (call: HttpCall, exchange: Exchange) => Promise<FetchResponse> {
  const base = access.url.replace(/\/+$/, '');
  const origin = access.origin ?? derivedOrigin(base);
  const headers = {
    authorization: `Bearer ${access.token}`,
    'user-agent': 'evalsaga',
    ...(origin === undefined ? {} : { origin }),
  };
  return async (call, exchange) => {
    const query = call.query === undefined ? '' : `?${new URLSearchParams(call.query).toString()}`;
    const reading = call.method === 'GET' || call.method === 'HEAD';
    const wanted = call.uncompressed ? { ...headers, 'accept-encoding': 'identity' } : headers;
    const payload =
      call.json === undefined
        ? { headers: wanted }
        : { headers: { ...wanted, 'content-type': 'application/json' }, body: JSON.stringify(call.json) };
    const response = await exchange.guard(() =>
      fetch(`${base}${call.path}${query}`, {
        method: call.method,
        ...payload,
        signal: exchange.signal,
        // A redirected POST becomes a GET: it would look like a success and have done nothing.
        redirect: reading ? 'follow' : 'manual',
      }),
    );
    clock?.note(response.headers.get('date'));
    await refuseFailures(call, exchange, response);
    return response;
  };
}

/** The real clients send `origin` to DGX Cloud only, and derive it from the workspace's address. */
function derivedOrigin(base: string): string | undefined {
  return base.includes('dgxc') && URL.canParse(base) ? new URL(base).origin : undefined;
}

async function refuseFailures(call: HttpCall, exchange: Exchange, response: FetchResponse): Promise<void> {
  if (call.acceptedStatuses?.includes(response.status)) return;
  if (response.status >= 300 && response.status < 400) {
    await discard(response);
    const target = response.headers.get('location') ?? 'nowhere';
    throw invalidResponse(exchange.call, {
      problem: `redirected to ${target}: use that address as workspace URL`,
      status: response.status,
    });
  }
  if (response.status < 400) return;
  throw await readFailure(exchange, response, call.isCoreRoute ?? false);
}

async function readFailure(exchange: Exchange, response: FetchResponse, isCoreRoute: boolean): Promise<LeptonError> {
  // The status says what matters: a body that breaks off must not turn a refusal into a network failure.
  const { text } = await readText(exchange, response, maxErrorBytes).catch((error: unknown) => {
    if (exchange.signal.aborted && !(error instanceof Error && error.name === 'LeptonError')) throw error;
    return { text: '' };
  });
  return statusError(exchange.call, {
    status: response.status,
    statusText: response.statusText,
    retryAfter: response.headers.get('retry-after'),
    body: text,
    isCoreRoute,
  });
}

async function readJson(exchange: Exchange, response: FetchResponse): Promise<unknown> {
  const { text, whole } = await readText(exchange, response, maxJsonBytes);
  const { status } = response;
  if (!whole)
    throw invalidResponse(exchange.call, { problem: `${status} with more than ${maxJsonBytes} bytes`, status });
  try {
    return JSON.parse(text);
  } catch {
    throw invalidResponse(exchange.call, { problem: `${status}, but the answer is not JSON`, status, body: text });
  }
}
