import { setTimeout as delay } from 'node:timers/promises';
import { LeptonError } from '../../lepton/lepton-error';
import { retryDelayMs } from '../../lepton/retry-timing';

export interface FollowLogRequest {
  /** Opens the log from its beginning, following: `client.jobLog(id, replica, { follow: true, signal })`. */
  readonly open: (signal: AbortSignal) => AsyncIterable<Uint8Array>;
  /** Whether what writes the log has ended. Asked when the log ends: a gateway may have ended it instead. */
  readonly isOver: () => Promise<boolean>;
  readonly signal: AbortSignal;
  /** Told when the connection was cut and is opened again, and when the log began anew. Default: nobody. */
  readonly onNote?: ((note: string) => void) | undefined;
  /** How long the log may be out of reach before that is an error, milliseconds; default 5 min. */
  readonly longestOutageMs?: number | undefined;
}

/** Pause before a log that ended, although its writer goes on, is opened again. */
const reopen = { firstMs: 1_000, longestMs: 15_000 } as const;

/**
 * A log as it grows, as text, until its writer has ended and all is read, or the signal aborts (then it just ends). Never
 * splits a character. After a cut connection it goes on with the very next byte: what was given is counted, and passed
 * over when the log comes again from its beginning. Nothing is kept in memory. Throws `LeptonError` when the log is
 * refused, does not exist, or stays out of reach.
 */
export async function* followLog(request: FollowLogRequest): AsyncGenerator<string, void, undefined> {
  const { signal, isOver } = request;
  const decoder = new TextDecoder();
  let given = 0;
  let pauseMs: number = reopen.firstMs;
  let outage: { since: number; attempt: number } | undefined;

  while (!signal.aborted) {
    const over = await isOver().catch(() => false);
    const before = given;
    const pass = new Pass(request, given);
    for await (const piece of pass.pieces()) {
      given += piece.byteLength;
      const text = decoder.decode(piece, { stream: true });
      if (text !== '') yield text;
    }
    if (signal.aborted) return;
    if (pass.failure === undefined) {
      outage = undefined;
      if (pass.seen < given) {
        request.onNote?.('the log began anew: its writer was started again');
        given = 0;
      } else if (over) break;
      pauseMs = given > before ? reopen.firstMs : Math.min(pauseMs * 2, reopen.longestMs);
      // When it ended meanwhile, one more pass reads what was written last: at once.
      if (!(await isOver().catch(() => false))) await pause(pauseMs, signal);
      continue;
    }
    outage =
      given > before || outage === undefined
        ? { since: Date.now(), attempt: 1 }
        : { ...outage, attempt: outage.attempt + 1 };
    await pause(waitAfter(pass.failure, outage, request), signal);
    request.onNote?.(`the log was cut off (${pass.failure.message}); reading on`);
  }
  const rest = decoder.decode();
  if (rest !== '') yield rest;
}

/** One reading of the log from its beginning, without the first `skip` bytes. */
class Pass {
  /** Bytes of the log that came by, those passed over included. */
  seen = 0;
  failure: LeptonError | undefined;

  constructor(
    private readonly request: FollowLogRequest,
    private readonly skip: number,
  ) {}

  async *pieces(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for await (const chunk of this.request.open(this.request.signal)) {
        const fresh = chunk.subarray(Math.max(this.skip - this.seen, 0));
        this.seen += chunk.byteLength;
        if (fresh.byteLength > 0) yield fresh;
      }
    } catch (error) {
      if (this.request.signal.aborted) return;
      if (!(error instanceof LeptonError) || !isPassing(error)) throw error;
      this.failure = error;
    }
  }
}

const isPassing = ({ kind }: LeptonError): boolean =>
  kind === 'network' || kind === 'server' || kind === 'rate_limited';

function waitAfter(
  failure: LeptonError,
  outage: { since: number; attempt: number },
  request: FollowLogRequest,
): number {
  if (Date.now() - outage.since > (request.longestOutageMs ?? 300_000)) throw failure;
  const { kind, retryAfterMs } = failure;
  return retryDelayMs({ kind, attempt: outage.attempt, retryAfterMs, random: Math.random });
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined);
}
