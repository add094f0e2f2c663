/** HTTP calls, limited in time and size and abortable. They fail only with `LeptonError`, or with the reason of the abort. */
import { openAsBlob } from 'node:fs';
import path from 'node:path';
import { FormData } from 'undici';
import { leanFetch } from './lean-fetch';
import type { LeptonError } from './lepton-error';
import { discard, Exchange, readText, type FetchResponse } from './exchange';
import { invalidResponse, statusError } from './call-errors';
import { secretsOfBody } from '../secrets/masking';
import type { Limiter } from './limiter';
import { parseRetryAfter } from './retry-timing';
import { withRetries, type RetryOptions } from './retry';
import type { CallOptions, PlatformAccess } from './types';
import type { ServerClock } from './server-clock';

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface HttpCall {
  readonly method: Method;
  /** Path below the workspace, percent-encoded, e.g. `/deployments/a`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Local file that is sent as the part `file` of a form. */
  readonly upload?: string;
  /** The route exists in every workspace, so that a 404 comes from something in front of the service, or from a service that fails. */
  readonly isCoreRoute?: boolean;
  /** Statuses from 400 that are not a failure. */
  readonly acceptedStatuses?: readonly number[];
  /** Requests the bytes without content encoding. */
  readonly uncompressed?: boolean;
  readonly options?: CallOptions | undefined;
}

/** The part of `fetch` that is used. Tests and embedders may pass their own. */
export type Fetch = (url: string, init: FetchInit) => Promise<FetchResponse>;

export interface FetchInit {
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body?: string | FormData;
  readonly signal: AbortSignal;
  readonly redirect: 'follow' | 'manual';
}

/** `not found` alone is not proof: callers that act on absence check the listing, too. */
export type LookupResult = { readonly kind: 'found'; readonly value: unknown } | { readonly kind: 'not found' };

export interface Http {
  /** Returns the JSON of the answer; `undefined` for a status in `acceptedStatuses`. */
  json(call: HttpCall): Promise<unknown>;
  /** Like `json`, but 404 is not a failure. */
  lookup(call: HttpCall): Promise<LookupResult>;
  /** Returns status and headers without reading the body. */
  send(call: HttpCall): Promise<Pick<FetchResponse, 'status' | 'headers'>>;
  /** Yields the body as it arrives. */
  stream(call: HttpCall, options: StreamOptions): AsyncGenerator<Uint8Array, void, undefined>;
}

export interface StreamOptions {
  /** Longest time without data before the connection counts as lost, milliseconds; `null`: no limit. */
  readonly idleTimeoutMs: number | null;
  /** Called before the body is read. */
  readonly onHeaders?: (headers: FetchResponse['headers']) => void;
}

export const defaultTimeoutMs = 30_000;

/** Limit on a JSON answer. A listing of many thousand jobs is far smaller. */
const maxJsonBytes = 64 * 1024 * 1024;
const maxErrorBytes = 64 * 1024;

export const defaultFetch: Fetch = (url, init) => leanFetch(url, init);

export interface HttpSettings {
  /** Gets the date of every answer. */
  readonly clock?: ServerClock | undefined;
  readonly fetch?: Fetch | undefined;
  readonly timeoutMs?: number | undefined;
  readonly retry?: RetryOptions | undefined;
  readonly limiter?: Limiter | undefined;
}

/** Methods that can be repeated although the first request may have succeeded. */
const idempotentMethods: ReadonlySet<Method> = new Set(['GET', 'HEAD', 'PUT', 'DELETE']);

export function createHttp(access: PlatformAccess, settings: HttpSettings): Http {
  const open = createSender(access, settings);

  const exchangeFor = (call: HttpCall): Exchange =>
    new Exchange(
      { request: `${call.method} ${call.path}`, access, secrets: [access.token, ...secretsOfBody(call.json)] },
      call.options?.timeoutMs ?? settings.timeoutMs ?? defaultTimeoutMs,
      call.options?.signal,
    );

  const admitted = async (call: HttpCall): Promise<Exchange> => {
    await settings.limiter?.admit({
      request: `${call.method} ${call.path}`,
      isUrgent: call.method === 'DELETE',
      signal: call.options?.signal,
    });
    return exchangeFor(call);
  };

  const attempt = async <T>(
    call: HttpCall,
    read: (response: FetchResponse, exchange: Exchange) => Promise<T>,
  ): Promise<T> => {
    const exchange = await admitted(call);
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
    async *stream(call, { idleTimeoutMs, onHeaders }) {
      const exchange = await admitted(call);
      try {
        const response = await open(call, exchange);
        onHeaders?.(response.headers);
        exchange.restartTimer(idleTimeoutMs);
        for await (const chunk of exchange.pieces(response.body)) {
          exchange.restartTimer(null); // a slow reader is not a silent server
          yield chunk;
          exchange.restartTimer(idleTimeoutMs);
        }
      } finally {
        exchange.end();
      }
    },
  };
}

/** Returns a function that sends a call, and throws unless it succeeds. */
function createSender(
  access: PlatformAccess,
  { fetch = defaultFetch, clock, limiter }: HttpSettings,
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
    const payload = await payloadOf(call, wanted);
    const sentAtMs = performance.now();
    const response = await exchange.guard(() =>
      fetch(`${base}${call.path}${query}`, {
        method: call.method,
        ...payload,
        signal: exchange.signal,
        // A redirected POST would become a GET, which looks like a success but does nothing.
        redirect: reading ? 'follow' : 'manual',
      }),
    );
    clock?.note(response.headers.get('date'));
    const retryAfterMs = parseRetryAfter(response.headers.get('retry-after'), Date.now());
    limiter?.note({ status: response.status, retryAfterMs, sentAtMs });
    await refuseFailures(call, exchange, response);
    return response;
  };
}

async function payloadOf(
  { json, upload }: HttpCall,
  headers: Record<string, string>,
): Promise<Pick<FetchInit, 'headers' | 'body'>> {
  if (upload !== undefined) {
    const form = new FormData();
    form.set('file', await openAsBlob(upload), path.basename(upload));
    return { headers, body: form };
  }
  if (json === undefined) return { headers };
  return { headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify(json) };
}

/** The service's own clients send `origin` only to DGX Cloud, and derive it from the workspace's address. */
function derivedOrigin(base: string): string | undefined {
  return base.includes('dgxc') && URL.canParse(base) ? new URL(base).origin : undefined;
}

async function refuseFailures(call: HttpCall, exchange: Exchange, response: FetchResponse): Promise<void> {
  if (call.acceptedStatuses?.includes(response.status)) return;
  if (response.status >= 300 && response.status < 400) {
    await discard(response);
    const target = response.headers.get('location') ?? 'nowhere';
    throw invalidResponse(exchange.call, {
      problem: `redirected to ${target}: set LEPTON_WORKSPACE_URL to that address`,
      status: response.status,
    });
  }
  if (response.status < 400) return;
  throw await readFailure(exchange, response, call.isCoreRoute ?? false);
}

async function readFailure(exchange: Exchange, response: FetchResponse, isCoreRoute: boolean): Promise<LeptonError> {
  // The status matters most: an incomplete body must not turn a refusal into a network failure.
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
