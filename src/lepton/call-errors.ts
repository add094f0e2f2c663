/** Turns a failed call into a `LeptonError` with a message that a user can act on. */
import { proxyInWords } from './dispatcher';
import { LeptonError, type LeptonErrorKind } from './lepton-error';
import { maskSecrets } from '../secrets/masking';
import { paceOf } from './pace';
import { parseRetryAfter } from './retry-timing';
import type { PlatformAccess } from './types';

/** Limit on the characters of an answer that a message quotes. */
const maxExcerptLength = 500;

export interface CallContext {
  /** `POST /deployments` */
  readonly request: string;
  readonly access: PlatformAccess;
  /** Secrets that must not be quoted. */
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

/** Returns the error for a status of 400 and above; `body` is the part that was read. */
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
  const doubt = isMisrouted
    ? `. This answer is not from the service itself, but perhaps from a proxy or gateway in front of it; asked was for ${placeOf(call.access)}`
    : '';
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

/** Names the workspace, where it was looked for, and where that and the token came from. */
const placeOf = ({ workspace, url, source }: PlatformAccess): string =>
  `workspace ${workspace} at ${hostOf(url)}${source ? ` (from ${source})` : ''}`;

function hintFor(kind: LeptonErrorKind, access: PlatformAccess): string {
  const token = `the token for ${placeOf(access)}`;
  if (kind === 'unauthorized')
    return `. The platform does not accept ${token}: log in again (lep login) or renew LEPTON_WORKSPACE_TOKEN`;
  if (kind === 'forbidden')
    return `. The platform knows ${token} but does not permit this: ask the workspace's admin, or use another token`;
  return '';
}

/** Returns the error for a missing or incomplete answer. */
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

/** Returns the error for a successful answer that does not match the API. */
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

/** Returns `code: message` from a body of the service's form, else the body's beginning; masked, on one line. */
function excerptOf(body: string, call: CallContext): string {
  const masked = maskSecrets(errorText(body), [...call.secrets, call.access.token]);
  // A server's answer must not control the terminal.
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

/** Whether an error has the service's own form, `{code, message}`. A gateway answers with a page, nothing, or other JSON. */
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

/** Explains why a request got no answer, by the code of its error or of a cause. Pure. */
export function explainCause(error: unknown): string {
  const chain = causeChain(error);
  for (const { code = '' } of chain) {
    const known = networkCodes[code];
    if (known !== undefined) return known;
    if (certificateCode.test(code)) {
      return `the server's certificate is not trusted (${code}). If it is signed by your company, set NODE_EXTRA_CA_CERTS to its CA file`;
    }
  }
  const last = chain.at(-1)?.message ?? String(error);
  return last === 'terminated' || last === 'other side closed' ? 'the connection was cut' : `no answer: ${last}`;
}

interface CausedError {
  readonly code?: string;
  readonly message?: string;
  readonly cause?: unknown;
  /** Of an AggregateError: one error per address that was tried. */
  readonly errors?: readonly unknown[];
}

/** Returns an error and its causes, outermost first. Checks fields, not classes: errors of Node may be of another realm. */
function causeChain(error: unknown): CausedError[] {
  const chain: CausedError[] = [];
  for (let next = error; typeof next === 'object' && next !== null && chain.length < 6;) {
    const current = next as CausedError;
    chain.push(current);
    next = current.cause ?? current.errors?.[0];
  }
  return chain;
}

/** Returns host and port only: a URL may contain a password. */
export function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : 'an address that is not a URL';
}
