import type { Sinks } from '@temporalio/workflow';

/**
 * The trace that a workflow or an activity belongs to, as W3C's trace context has it. It travels in a header of Temporal's, of the
 * name and form that Temporal's own OpenTelemetry interceptors use.
 */
export interface TraceContext {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** Of the span that what follows belongs to: 16 hexadecimal digits. */
  readonly spanId: string;
}

export const traceHeader = '_tracer-data';

/** What the header holds. A trace that isn't sampled sends none. */
export interface TraceCarrier {
  readonly traceparent: string;
}

export const carrierOf = ({ traceId, spanId }: TraceContext): TraceCarrier => ({
  traceparent: `00-${traceId}-${spanId}-01`,
});

/** Reads a `traceparent`; `undefined` for anything else, and for a trace that isn't sampled. Pure. */
export function traceOf(text: unknown): TraceContext | undefined {
  const [, traceId = '', spanId = '', flags = ''] =
    typeof text === 'string'
      ? (/^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-|$)/.exec(text) ?? [])
      : [];
  const isValid = /[1-9a-f]/.test(traceId) && /[1-9a-f]/.test(spanId);
  return isValid && Number.parseInt(flags, 16) % 2 === 1 ? { traceId, spanId } : undefined;
}

/**
 * Returns the id of the span of a workflow's run: the same in every replay. Temporal's run ids begin with the time, which many
 * workflows have in common, so their end is taken. Pure.
 */
export const spanIdOfRun = (runId: string): string => runId.replace(/-/g, '').slice(-16).padStart(16, '1');

/** A span that has ended. */
export interface FinishedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string | undefined;
  readonly name: string;
  /** `client`: a request to another program. */
  readonly kind: 'internal' | 'client';
  /** Milliseconds since 1970. */
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: SpanAttributes;
  /** Type of the error that ended it: never its text, which may quote anything. */
  readonly errorType?: string | undefined;
}

export type SpanAttributes = Readonly<Record<string, string | number>>;

/** Where workflows leave their spans; every worker has it, because whoever starts a run decides whether it is traced. */
export interface TracingSinks extends Sinks {
  readonly tracing: { finished(span: FinishedSpan): void };
}
