import { LeptonError } from './lepton-error';
import type { Pace } from './pace';
import { answered, refused, take, unlimited, waitOf, type RequestRate } from './request-rate';

/** Limits the requests of all tasks of a worker to one platform, as soon as the platform refuses some (429). */
export interface Limiter {
  /**
   * Resolves when the request may be sent. Rejects with `LeptonError` (`rate_limited`) if that would take too long to wait here, and
   * with the signal's reason.
   */
  admit(request: LimitedRequest): Promise<void>;
  /** Learns from an answer. */
  note(answer: { readonly status: number; readonly retryAfterMs: number | undefined; readonly sentAtMs: number }): void;
}

export interface LimitedRequest {
  /** `POST /deployments` */
  readonly request: string;
  /** Goes first: it ends a cost. */
  readonly isUrgent: boolean;
  readonly signal?: AbortSignal | undefined;
}

export interface LimiterOptions {
  readonly pace?: Pace | undefined;
  /** Milliseconds that a request may wait here; a longer wait is left to its activity, which shows it. Default 10,000. */
  readonly longestWaitMs?: number | undefined;
  /** Default: `performance.now`. */
  readonly now?: () => number;
  /** Default: `Math.random`. */
  readonly random?: () => number;
}

/** Milliseconds over which the present rate is measured. */
const measuredMs = 2_000;
/** Statuses with which a platform may ask for a pause. */
const tooMany = 429;
const unavailable = 503;

interface Waiting {
  readonly isUrgent: boolean;
  readonly admit: () => void;
}

export function createLimiter(options: LimiterOptions = {}): Limiter {
  const { pace, longestWaitMs = 10_000, now = () => performance.now(), random = Math.random } = options;
  let rate: RequestRate = unlimited;
  let waiting: Waiting[] = [];
  let timer: NodeJS.Timeout | undefined;
  const sent: number[] = [];

  const mayGo = (): number => {
    const taken = take(rate, now());
    rate = taken.rate;
    if (taken.waitMs <= 0) remember();
    return taken.waitMs;
  };

  const remember = (): void => {
    const nowMs = now();
    sent.push(nowMs);
    while ((sent[0] ?? nowMs) < nowMs - measuredMs) sent.shift();
  };

  const serve = (): void => {
    timer = undefined;
    while (waiting.length > 0) {
      const waitMs = mayGo();
      if (waitMs > 0) {
        timer = setTimeout(serve, Math.ceil(waitMs));
        return;
      }
      waiting.shift()?.admit();
    }
  };

  const join = (entry: Waiting): void => {
    const at = entry.isUrgent ? waiting.findIndex(({ isUrgent }) => !isUrgent) : -1;
    if (at < 0) waiting.push(entry);
    else waiting.splice(at, 0, entry);
    if (timer === undefined) serve();
  };

  return {
    async admit({ request, isUrgent, signal }) {
      signal?.throwIfAborted();
      if (waiting.length === 0 && mayGo() <= 0) return;
      const ahead = isUrgent ? waiting.filter((one) => one.isUrgent).length : waiting.length;
      const waitMs = waitOf(rate, { nowMs: now(), ahead });
      if (waitMs > longestWaitMs) throw notSent(request, waitMs, pace);
      await new Promise<void>((resolve, reject) => {
        const leave = (): void => {
          waiting = waiting.filter((one) => one !== entry);
          reject(signal?.reason as Error);
        };
        const admit = (): void => {
          signal?.removeEventListener('abort', leave);
          resolve();
        };
        const entry: Waiting = { isUrgent, admit };
        signal?.addEventListener('abort', leave, { once: true });
        join(entry);
      });
    },
    note({ status, retryAfterMs, sentAtMs }) {
      const nowMs = now();
      if (status === tooMany || (status === unavailable && retryAfterMs !== undefined)) {
        const seenPerSecond = sent.filter((at) => at >= nowMs - measuredMs).length / (measuredMs / 1_000);
        rate = refused(rate, { nowMs, sentAtMs, retryAfterMs, seenPerSecond, random: random() });
      } else rate = answered(rate, { nowMs, sentAtMs });
    },
  };
}

const notSent = (request: string, waitMs: number, pace: Pace | undefined): LeptonError =>
  new LeptonError(
    `${request}: not sent: the platform has refused requests because there were too many (429), and this one's turn comes in ${Math.ceil(waitMs / 1_000)} s`,
    { kind: 'rate_limited', request, retryAfterMs: Math.round(waitMs), pace },
  );
