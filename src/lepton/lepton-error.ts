import type { Pace } from './pace';

/** Why a call of the platform failed. Whether to retry is decided at the activity border (activities/failures.ts), not here. */
export type LeptonErrorKind =
  | 'unauthorized' // 401
  | 'forbidden' // 403
  | 'not_found' // 404 in the service's own words
  | 'conflict' // 409
  | 'rate_limited' // 429
  | 'invalid_request' // any other 4xx
  | 'server' // 5xx
  | 'network' // no answer: refused, cut, timed out
  | 'invalid_response'; // not what the API promises: a success of another form, or a 404 that is not the service's

export class LeptonError extends Error {
  override readonly name = 'LeptonError';
  readonly kind: LeptonErrorKind;
  /** HTTP status, where there was one. */
  readonly status: number | undefined;
  /** `POST /deployments`: method and path below the workspace. */
  readonly request: string;
  /** The server's own wish, milliseconds, from `Retry-After`. */
  readonly retryAfterMs: number | undefined;
  /** Of the platform that was asked, where known. */
  readonly pace: Pace | undefined;

  constructor(
    message: string,
    details: {
      kind: LeptonErrorKind;
      request: string;
      status?: number | undefined;
      retryAfterMs?: number | undefined;
      pace?: Pace | undefined;
      cause?: unknown;
    },
  ) {
    super(message, { cause: details.cause });
    this.kind = details.kind;
    this.status = details.status;
    this.request = details.request;
    this.retryAfterMs = details.retryAfterMs;
    this.pace = details.pace;
  }
}

/** Credentials that are incomplete, malformed, expired or nowhere to be found. The message says what to set or run. */
export class CredentialsError extends Error {
  override readonly name = 'CredentialsError';
}
