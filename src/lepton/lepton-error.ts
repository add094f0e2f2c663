import type { Pace } from './pace';

/** Why a call of the platform failed. Whether an activity retries it is decided in activities/failures.ts. */
export type LeptonErrorKind =
  | 'unauthorized' // 401
  | 'forbidden' // 403
  | 'not_found' // 404 in the service's own form
  | 'conflict' // 409
  | 'rate_limited' // 429
  | 'invalid_request' // any other 4xx
  | 'server' // 5xx
  | 'network' // no answer: connection refused or lost, timeout
  | 'invalid_response'; // does not match the API: a success of another form, or a 404 that is not from the service

export class LeptonError extends Error {
  override readonly name = 'LeptonError';
  readonly kind: LeptonErrorKind;
  /** HTTP status, if there was an answer. */
  readonly status: number | undefined;
  /** `POST /deployments`: method and path below the workspace. */
  readonly request: string;
  /** `Retry-After` in milliseconds. */
  readonly retryAfterMs: number | undefined;
  /** Pace of the platform, if known. */
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

/** Credentials are missing, incomplete, malformed or expired. The message says what to set or run. */
export class CredentialsError extends Error {
  override readonly name = 'CredentialsError';
}
