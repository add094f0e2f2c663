import { setTimeout as delay } from 'node:timers/promises';
import { LeptonError } from '../../lepton/lepton-error';
import { retryDelayMs } from '../../lepton/retry-timing';

export interface FollowLogRequest {
  /** Opens the log from its beginning, following: `client.jobLog(id, replica, { follow: true, signal })`. */
  readonly open: (signal: AbortSignal) => AsyncIterable<Uint8Array>;
  /** Whether the writer has ended. Called when the log ends, since a gateway may have closed the connection instead. */
  readonly isOver: () => Promise<boolean>;
  readonly signal: AbortSignal;
  /** Called when the connection was cut and is reopened, and when the log restarted. */
  readonly onNote?: ((note: string) => void) | undefined;
  /** How long the log may be unreachable before that is an error, milliseconds; default 5 min. */
  readonly longestOutageMs?: number | undefined;
}

/** Pause before reopening a log that ended although its writer continues. */
const reopen = { firstMs: 1_000, longestMs: 15_000 } as const;

/**
 * Yields a log as text while it grows, until its writer has ended and everything is read, or until the signal aborts (then it simply
 * ends). Never splits a character. After a cut connection it continues with the very next byte: it counts the bytes it has
 * yielded, and skips as many when the log is read again from its beginning. Keeps nothing in memory. Throws `LeptonError` when
 * the log is refused, does not exist, or stays unreachable.
 */
export async function* followLog(request: FollowLogRequest): AsyncGenerator<string, void, undefined> {
  const { signal, isOver } = request;
  const decoder = new TextDecoder();
  let yielded = 0;
  let pauseMs: number = reopen.firstMs;
  let outage: { since: number; attempt: number } | undefined;

  while (!signal.aborted) {
    const over = await isOver().catch(() => false);
    const before = yielded;
    const reading = new LogReading(request, yielded);
    for await (const piece of reading.pieces()) {
      yielded += piece.byteLength;
      const text = decoder.decode(piece, { stream: true });
      if (text !== '') yield text;
    }
    if (signal.aborted) return;
    if (reading.failure === undefined) {
      outage = undefined;
      if (reading.seen < yielded) {
        request.onNote?.('the log restarted: its writer was started again');
        yielded = 0;
      } else if (over) break;
      pauseMs = yielded > before ? reopen.firstMs : Math.min(pauseMs * 2, reopen.longestMs);
      // If the writer has ended meanwhile, read its last output without a pause.
      if (!(await isOver().catch(() => false))) await pause(pauseMs, signal);
      continue;
    }
    outage =
      yielded > before || outage === undefined
        ? { since: Date.now(), attempt: 1 }
        : { ...outage, attempt: outage.attempt + 1 };
    await pause(waitAfter(reading.failure, outage, request), signal);
    request.onNote?.(`the log was cut off (${reading.failure.message}); reading on`);
  }
  const rest = decoder.decode();
  if (rest !== '') yield rest;
}

/** Reads the log once from its beginning, without the first `skip` bytes. */
class LogReading {
  /** Bytes received, including those skipped. */
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
