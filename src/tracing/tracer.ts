import { randomBytes } from 'node:crypto';
import type { FinishedSpan, SpanAttributes, TraceContext } from '../contract/trace-context';
import { SpanExporter, type SendSpans } from './exporter';
import { inTrace } from './current';
import type { TraceSettings } from './settings';

/** What a span belongs to; the first of a trace has no other span above it. */
export type Above = Pick<TraceContext, 'traceId'> & Partial<TraceContext>;

export interface SpanStart {
  readonly name: string;
  readonly kind?: FinishedSpan['kind'];
  readonly parent: Above;
  readonly attributes: SpanAttributes;
}

/** What is learnt of a span while it goes on. */
export interface OpenSpan {
  /** Adds attributes. */
  note(attributes: SpanAttributes): void;
}

/** Milliseconds that the end of a process waits for its last spans. */
const closeWithinMs = 3_000;

/** Makes spans and exports them. */
export class Tracer {
  private readonly exporter: SpanExporter;
  private readonly ratio: number;

  constructor(settings: TraceSettings, send?: SendSpans) {
    this.exporter = new SpanExporter(settings, send);
    this.ratio = settings.ratio;
  }

  /** Begins a trace, or goes on with one that the caller's environment names; `undefined`: it isn't sampled. */
  root(given: TraceContext | undefined): Above | undefined {
    if (given) return given;
    return Math.random() < this.ratio ? { traceId: randomBytes(16).toString('hex') } : undefined;
  }

  /** Does work as a span below `parent`; what the work calls finds it as the current one. */
  async span<T>(
    { name, kind = 'internal', parent, attributes }: SpanStart,
    work: (span: OpenSpan) => Promise<T>,
  ): Promise<T> {
    const own: TraceContext = { traceId: parent.traceId, spanId: randomBytes(8).toString('hex') };
    const known: Record<string, string | number> = { ...attributes };
    const startMs = Date.now();
    const finish = (errorType?: string): void =>
      this.finished({
        ...own,
        parentSpanId: parent.spanId,
        ...{ name, kind, startMs, endMs: Date.now(), attributes: known, errorType },
      });
    try {
      const result = await inTrace(own, () => work({ note: (more) => void Object.assign(known, more) }));
      finish();
      return result;
    } catch (error) {
      finish(errorTypeOf(error));
      throw error;
    }
  }

  finished(span: FinishedSpan): void {
    this.exporter.add(span);
  }

  close(): Promise<void> {
    return this.exporter.close(closeWithinMs);
  }
}

function errorTypeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'Error';
  const { type } = error as { readonly type?: unknown };
  return typeof type === 'string' && type !== '' ? type : error.name;
}
