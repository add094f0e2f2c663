import { setTimeout as sleep } from 'node:timers/promises';
import type { FinishedSpan } from '../contract/trace-context';
import { otlpRequest } from './otlp';
import type { TraceSettings } from './settings';

export type SendSpans = (url: string, init: RequestInit) => Promise<Pick<Response, 'status' | 'body'>>;

const batch = 512;
/** Spans that wait; more are dropped, because a collector that is away must not cost the worker its memory. */
const most = 8_192;
/** Milliseconds between two exports, and between attempts of one. */
const everyMs = 2_000;
const pauseMs = 500;
const attempts = 3;
/** Of a collector that is busy, or a proxy before it. */
const transient: ReadonlySet<number> = new Set([429, 502, 503, 504]);

/** Sends spans to a collector, some at a time. A collector that is away or refuses them loses them: nothing waits for it. */
export class SpanExporter {
  private readonly waiting: FinishedSpan[] = [];
  private sending: Promise<void> | undefined;
  private readonly timer: NodeJS.Timeout;

  constructor(
    private readonly settings: TraceSettings,
    private readonly send: SendSpans = fetch,
  ) {
    this.timer = setInterval(() => void this.flush(), everyMs).unref();
  }

  add(span: FinishedSpan): void {
    if (this.waiting.length < most) this.waiting.push(span);
    if (this.waiting.length >= batch) void this.flush();
  }

  /** Sends what waits, also what comes meanwhile; never rejects. */
  flush(): Promise<void> {
    this.sending ??= this.drain().finally(() => (this.sending = undefined));
    return this.sending;
  }

  private async drain(): Promise<void> {
    while (this.waiting.length > 0) await this.export(this.waiting.splice(0, batch));
  }

  /** Sends what waits, for at most so many milliseconds. */
  async close(withinMs: number): Promise<void> {
    clearInterval(this.timer);
    const late = new AbortController();
    await Promise.race([this.flush(), sleep(withinMs, undefined, { signal: late.signal }).catch(() => undefined)]);
    late.abort();
  }

  private async export(spans: readonly FinishedSpan[]): Promise<void> {
    const { url, headers, resource, timeoutMs } = this.settings;
    const body = JSON.stringify(otlpRequest(spans, resource));
    for (let attempt = 1; attempt <= attempts; attempt += 1) {
      if (attempt > 1) await sleep(pauseMs * attempt);
      try {
        const signal = AbortSignal.timeout(timeoutMs);
        const init = { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body, signal };
        const { status, body: answer } = await this.send(url, init);
        await answer?.cancel();
        if (!transient.has(status)) return;
      } catch {
        // It is away; the next attempt may find it.
      }
    }
  }
}
