import type { FinishedSpan } from '../contract/trace-context';

/** Numbers of OTLP's enumerations. */
const kinds = { internal: 1, client: 3 } as const;
const statusError = 2;

/** Returns the request for OTLP over HTTP, in its JSON form. Pure. */
export const otlpRequest = (spans: readonly FinishedSpan[], resource: Readonly<Record<string, string>>): object => ({
  resourceSpans: [
    {
      resource: { attributes: attributesOf(resource) },
      scopeSpans: [{ scope: { name: 'evalsaga' }, spans: spans.map(spanOf) }],
    },
  ],
});

const spanOf = (span: FinishedSpan): object => ({
  traceId: span.traceId,
  spanId: span.spanId,
  ...(span.parentSpanId === undefined ? {} : { parentSpanId: span.parentSpanId }),
  name: span.name,
  kind: kinds[span.kind],
  startTimeUnixNano: nanoseconds(span.startMs),
  endTimeUnixNano: nanoseconds(span.endMs),
  attributes: attributesOf({
    ...span.attributes,
    ...(span.errorType === undefined ? {} : { 'error.type': span.errorType }),
  }),
  status: span.errorType === undefined ? {} : { code: statusError },
});

const nanoseconds = (ms: number): string => String(BigInt(Math.round(ms * 1_000)) * 1_000n);

const attributesOf = (attributes: Readonly<Record<string, string | number>>): object[] =>
  Object.entries(attributes).map(([key, value]) => ({
    key,
    value: typeof value === 'number' ? { intValue: String(Math.round(value)) } : { stringValue: value },
  }));
