import { proxyInWords } from './dispatcher';
import { LeptonError, type LeptonErrorKind } from './lepton-error';
import { maskSecrets } from '../secrets/masking';
import { paceOf } from './pace';
import { parseRetryAfter } from './retry-timing';
import type { PlatformAccess } from './types';

/** Turns what came back (or did not) into a `LeptonError` whose message a person can act on. */

/** Characters of an answer that a message quotes. */
const maxExcerptLength = 500;

export interface CallContext {
  /** `POST /deployments` */
  readonly request: string;
  readonly access: PlatformAccess;
  /** Literals that must not be quoted. */
  readonly secrets: readonly string[];
}

export function kindOfStatus(status: number): LeptonErrorKind {
  switch (status) {
    case 401:
      return 'unauthorized';
    case 403:
      return 'forbidden';
    case 404:
      return 'not_found';
    case 409:
      return 'conflict';
    case 429:
      return 'rate_limited';
    default:
      return status >= 500 ? 'server' : 'invalid_request';
  }
}

/** An answer of 400 and above; `body` is as much of it as was read. */
export function statusError(
  call: CallContext,
  response: {
    readonly status: number;
    readonly statusText: string;
    readonly retryAfter: string | null;
    readonly body: string;
    /** The route exists in every workspace. */
    readonly isCoreRoute?: boolean;
  },
): LeptonError {
  const isMisrouted = response.status === 404 && (response.isCoreRoute === true || !hasServiceCode(response.body));
  const kind = isMisrouted ? 'invalid_response' : kindOfStatus(response.status);
  const said = excerptOf(response.body, call);
  const status = `${response.status} ${response.statusText}`.trim();
  const doubt = isMisrouted ? '. The service itself does not answer this: a proxy or gateway in front of it may' : '';
  return new LeptonError(
    `${call.request}: ${status}${said === '' ? '' : ` (${said})`}${doubt}${hintFor(kind, call.access)}`,
    {
      kind,
      request: call.request,
      status: response.status,
      retryAfterMs: parseRetryAfter(response.retryAfter, Date.now()),
      pace: paceOf(call.access.url),
    },
  );
}

function hintFor(kind: LeptonErrorKind, access: PlatformAccess): string {
  const token = `the token for workspace ${access.workspace} at ${hostOf(access.url)}${access.source ? ` (from ${access.source})` : ''}`;
  if (kind === 'unauthorized')
    return `. The platform does not accept ${token}: log in again (lep login) or renew LEPTON_WORKSPACE_TOKEN`;
  if (kind === 'forbidden')
    return `. The platform knows ${token} but does not permit this: ask the workspace's admin, or use another token`;
  return '';
}

/** No answer, or one that broke off. */
export function networkError(call: CallContext, cause: unknown, timedOutAfterMs?: number): LeptonError {
  const what =
    timedOutAfterMs === undefined
      ? explainCause(cause)
      : `no answer within ${Math.round(timedOutAfterMs / 100) / 10} s`;
  const proxy = proxyInWords(call.access.url, process.env);
  const way = `${hostOf(call.access.url)}${proxy === undefined ? '' : `, through the proxy of ${proxy}`}`;
  return new LeptonError(maskSecrets(`${call.request}: ${what} (${way})`, call.secrets), {
    kind: 'network',
    request: call.request,
  });
}

/** A success that is not what the API promises. */
export function invalidResponse(
  call: CallContext,
  details: { problem: string; status?: number; body?: string },
): LeptonError {
  const said = details.body === undefined ? '' : excerptOf(details.body, call);
  const problem = maskSecrets(details.problem, call.secrets);
  return new LeptonError(`${call.request}: ${problem}${said === '' ? '' : `: ${said}`}`, {
    kind: 'invalid_response',
    request: call.request,
    status: details.status,
  });
}

/** What the body says: `code: message` where it has the service's shape, else its beginning; masked, on one line. */
function excerptOf(body: string, call: CallContext): string {
  const masked = maskSecrets(errorText(body), [...call.secrets, call.access.token]);
  // A server's bytes must not steer the terminal.
  const line = masked
    .replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  return line.length <= maxExcerptLength ? line : `${line.slice(0, maxExcerptLength)}…`;
}

function errorText(body: string): string {
  try {
    const parsed = JSON.parse(body) as { code?: unknown; message?: unknown } | null;
    if (typeof parsed?.message !== 'string') return body;
    return typeof parsed.code === 'string' ? `${parsed.code}: ${parsed.message}` : parsed.message;
  } catch {
    return body;
  }
}

/** Whether an error's body has the service's own shape, `{code, message}`: a gateway answers a page, nothing, or its own JSON. */
function hasServiceCode(body: string): boolean {
  try {
    const parsed = JSON.parse(body) as { code?: unknown } | null;
    return typeof parsed?.code === 'string' && parsed.code !== '';
  } catch {
    return false;
  }
}

const networkCodes: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'the connection was cut',
  EPIPE: 'the connection was cut',
  UND_ERR_SOCKET: 'the connection was cut',
  UND_ERR_CONNECT_TIMEOUT: 'connecting timed out',
  ETIMEDOUT: 'connecting timed out',
  ENOTFOUND: 'the host name is not known',
  EAI_AGAIN: 'the host name could not be looked up',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'the network cannot be reached',
};

const certificateCode = /CERT|SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER)/;

/** Why a request got no answer, in words: what its error, or one that caused it, is known by. Pure. */
export function explainCause(error: unknown): string {
  const chain = causeChain(error);
  for (const { code = '' } of chain) {
    const known = networkCodes[code];
    if (known !== undefined) return known;
    if (certificateCode.test(code)) {
      return `the server's certificate is not trusted (${code}). If it is signed by your company, name its CA file in NODE_EXTRA_CA_CERTS`;
    }
  }
  const last = chain.at(-1)?.message ?? String(error);
  return last === 'terminated' || last === 'other side closed' ? 'the connection was cut' : `no answer: ${last}`;
}

interface CausedError {
  readonly code?: string;
  readonly message?: string;
  readonly cause?: unknown;
  /** Of an AggregateError: one for each address that was tried. */
  readonly errors?: readonly unknown[];
}

/** The error and what caused it, outermost first. By shape: errors of Node itself may be of another realm. */
function causeChain(error: unknown): CausedError[] {
  const chain: CausedError[] = [];
  for (let next = error; typeof next === 'object' && next !== null && chain.length < 6;) {
    const current = next as CausedError;
    chain.push(current);
    next = current.cause ?? current.errors?.[0];
  }
  return chain;
}

/** Host and port only: a URL may carry a password. */
export function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : 'an address that is not a URL';
}
