import type { FinishedSpan } from '../../../src/contract/trace-context';
import { currentTrace } from '../../../src/tracing/current';
import { SpanExporter, type SendSpans } from '../../../src/tracing/exporter';
import { otlpRequest } from '../../../src/tracing/otlp';
import { Tracer } from '../../../src/tracing/tracer';

const settings = { url: 'http://collector/v1/traces', headers: { key: 'k' }, resource: {}, ratio: 1, timeoutMs: 1_000 };
const span: FinishedSpan = {
  traceId: 'a'.repeat(32),
  spanId: 'b'.repeat(16),
  name: 'POST',
  kind: 'client',
  startMs: 1_700_000_000_000.5,
  endMs: 1_700_000_000_123,
  attributes: { 'evalsaga.task': 2, 'evalsaga.run': 'r' },
};

/** A collector that answers with these statuses, then 200; `0`: not at all. */
function collector(...statuses: number[]) {
  const received: { spans: { name: string; spanId: string; parentSpanId?: string }[]; headers: unknown }[] = [];
  const send: SendSpans = (_url, { body, headers }) => {
    const { resourceSpans } = JSON.parse(body as string) as {
      resourceSpans: { scopeSpans: { spans: (typeof received)[number]['spans'] }[] }[];
    };
    const status = statuses.shift() ?? 200;
    if (status === 0) return Promise.reject(new TypeError('fetch failed'));
    received.push({ spans: resourceSpans[0]?.scopeSpans[0]?.spans ?? [], headers });
    return Promise.resolve({ status, body: null });
  };
  return { received, send };
}

test('a span in OTLP', () => {
  expect(otlpRequest([{ ...span, errorType: 'LeptonError' }], { 'service.name': 's' })).toEqual({
    resourceSpans: [
      {
        resource: { attributes: [{ key: 'service.name', value: { stringValue: 's' } }] },
        scopeSpans: [
          {
            scope: { name: 'evalsaga' },
            spans: [
              {
                traceId: span.traceId,
                spanId: span.spanId,
                name: 'POST',
                kind: 3,
                startTimeUnixNano: '1700000000000500000',
                endTimeUnixNano: '1700000000123000000',
                attributes: [
                  { key: 'evalsaga.task', value: { intValue: '2' } },
                  { key: 'evalsaga.run', value: { stringValue: 'r' } },
                  { key: 'error.type', value: { stringValue: 'LeptonError' } },
                ],
                status: { code: 2 },
              },
            ],
          },
        ],
      },
    ],
  });
});

describe('the exporter', () => {
  test('tries again while the collector is away or busy, and sends each span once more than it was refused', async () => {
    const { received, send } = collector(0, 503);
    const exporter = new SpanExporter(settings, send);
    exporter.add(span);
    await exporter.close(60_000);
    expect(received).toHaveLength(2);
    expect(received[1]).toMatchObject({ spans: [{ spanId: span.spanId }], headers: { key: 'k' } });
  });

  test('gives a batch up that is refused, and goes on with the next', async () => {
    const { received, send } = collector(400);
    const exporter = new SpanExporter(settings, send);
    exporter.add(span);
    await exporter.flush();
    exporter.add({ ...span, spanId: 'c'.repeat(16) });
    await exporter.close(60_000);
    expect(received.map(({ spans }) => spans[0]?.spanId)).toEqual([span.spanId, 'c'.repeat(16)]);
  });

  test('keeps no more than 8,192 spans, and sends at most 512 at a time', async () => {
    const { received, send } = collector();
    let open = (): void => undefined;
    const opened = new Promise<void>((resolve) => (open = resolve));
    const exporter = new SpanExporter(settings, async (url, init) => {
      await opened;
      return send(url, init);
    });
    for (let n = 0; n < 20_000; n += 1) exporter.add(span);
    open();
    await exporter.close(60_000);
    expect(Math.max(...received.map(({ spans }) => spans.length))).toBe(512);
    expect(received.reduce((sum, { spans }) => sum + spans.length, 0)).toBeLessThanOrEqual(8_192 + 512);
  });

  test('does not hold up the end of a process for a collector that never answers', async () => {
    const exporter = new SpanExporter(settings, () => new Promise(() => undefined));
    exporter.add(span);
    await expect(exporter.close(20)).resolves.toBeUndefined();
  });
});

describe('the tracer', () => {
  test('spans nest: what a span calls is below it, and knows it; errors leave their type, not their text', async () => {
    const { received, send } = collector();
    const tracer = new Tracer(settings, send);
    const root = tracer.root(undefined);
    expect(root).toBeDefined();
    if (!root) return;
    const failing = tracer.span({ name: 'outer', parent: root, attributes: {} }, async () => {
      const outer = currentTrace();
      expect(outer).toBeDefined();
      if (!outer) return;
      await tracer.span({ name: 'inner', parent: outer, attributes: {} }, ({ note }) => {
        note({ status: 201 });
        return Promise.resolve();
      });
      throw new RangeError('token abc');
    });
    await expect(failing).rejects.toThrow('token abc');
    expect(currentTrace()).toBeUndefined();
    await tracer.close();
    const [inner, outer] = received[0]?.spans ?? [];
    expect(inner).toMatchObject({ name: 'inner', parentSpanId: outer?.spanId });
    expect(outer).toMatchObject({ name: 'outer', status: { code: 2 } });
    expect(outer).not.toHaveProperty('parentSpanId');
    expect(JSON.stringify(received)).toContain('RangeError');
    expect(JSON.stringify(received)).not.toContain('token abc');
  });

  test("goes on with the caller's trace, and samples by its ratio otherwise", async () => {
    const given = { traceId: 'd'.repeat(32), spanId: 'e'.repeat(16) };
    const tracer = new Tracer({ ...settings, ratio: 0 }, collector().send);
    expect(tracer.root(given)).toEqual(given);
    expect(tracer.root(undefined)).toBeUndefined();
    await tracer.close();
  });
});
