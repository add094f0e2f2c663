import { networkError, type CallContext } from './call-errors';

/** The part of a fetch response that is used. */
export interface FetchResponse {
  readonly status: number;
  readonly statusText: string;
  readonly headers: { get(name: string): string | null };
  readonly body: AsyncIterable<Uint8Array> | null;
}

/** One request and its response. Its signal combines the caller's signal and a timeout; its errors tell the two apart. */
export class Exchange {
  readonly signal: AbortSignal;
  private readonly controller = new AbortController();
  private timer: NodeJS.Timeout | undefined;
  private timedOutAfterMs: number | undefined;
  private readonly onAbort = () => this.controller.abort(this.callerSignal?.reason);

  constructor(
    readonly call: CallContext,
    timeoutMs: number,
    private readonly callerSignal: AbortSignal | undefined,
  ) {
    this.signal = this.controller.signal;
    if (callerSignal?.aborted) this.onAbort();
    callerSignal?.addEventListener('abort', this.onAbort, { once: true });
    this.restartTimer(timeoutMs);
  }

  /** Restarts the timeout; `null` stops it. */
  restartTimer(timeoutMs: number | null): void {
    clearTimeout(this.timer);
    if (timeoutMs === null) return;
    this.timer = setTimeout(() => {
      this.timedOutAfterMs = timeoutMs;
      this.controller.abort();
    }, timeoutMs);
  }

  async guard<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw this.explain(error);
    }
  }

  async *pieces(body: AsyncIterable<Uint8Array> | null): AsyncGenerator<Uint8Array, void, undefined> {
    if (body === null) return;
    const iterator = body[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await this.guard(() => iterator.next());
        if (next.done) return;
        yield next.value;
      }
    } finally {
      // Releases the connection. If it is broken, that has been reported already.
      await iterator.return?.().catch(() => undefined);
    }
  }

  end(): void {
    clearTimeout(this.timer);
    this.callerSignal?.removeEventListener('abort', this.onAbort);
  }

  private explain(error: unknown): unknown {
    if (this.callerSignal?.aborted) return this.callerSignal.reason;
    return networkError(this.call, error, this.timedOutAfterMs);
  }
}

/** Reads at most `limit` bytes of the body as text. */
export async function readText(
  exchange: Exchange,
  response: FetchResponse,
  limit: number,
): Promise<{ text: string; whole: boolean }> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of exchange.pieces(response.body)) {
    pieces.push(piece);
    size += piece.byteLength;
    if (size > limit) break;
  }
  return { text: Buffer.concat(pieces).subarray(0, limit).toString('utf8'), whole: size <= limit };
}

/** Discards the body: an unread one would keep its connection busy. */
export async function discard(response: FetchResponse): Promise<undefined> {
  await response.body?.[Symbol.asyncIterator]()
    .return?.()
    .catch(() => undefined);
  return undefined;
}
