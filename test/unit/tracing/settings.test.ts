import { carrierOf, spanIdOfRun, traceOf } from '../../../src/contract/trace-context';
import { otlpProtocol, pairsOf, signalUrl, traceSettings } from '../../../src/tracing/settings';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const spanId = '00f067aa0ba902b7';

describe('a trace context', () => {
  test('is read as it is written', () => {
    expect(traceOf(carrierOf({ traceId, spanId }).traceparent)).toEqual({ traceId, spanId });
  });

  test('of a later version is read as far as it is known', () => {
    expect(traceOf(`01-${traceId}-${spanId}-03-more`)).toEqual({ traceId, spanId });
  });

  test.each([
    undefined,
    7,
    '',
    'nonsense',
    `00-${traceId}-${spanId}-00`,
    `00-${'0'.repeat(32)}-${spanId}-01`,
    `00-${traceId}-${'0'.repeat(16)}-01`,
    `00-${traceId.toUpperCase()}-${spanId}-01`,
  ])('%s is none', (text) => expect(traceOf(text)).toBeUndefined());

  test("a workflow's span is the same in every replay, and differs between runs that began in the same moment", () => {
    const [a, b] = ['0199ab5c-0000-7abc-8123-456789abcdef', '0199ab5c-0000-7abc-9123-456789abcdef'];
    expect(spanIdOfRun(a)).toBe('8123456789abcdef');
    expect(spanIdOfRun(a)).not.toBe(spanIdOfRun(b));
  });
});

describe('whether and where traces go', () => {
  const endpoint = 'http://collector:4318';

  test('nowhere without an endpoint, or where tracing is switched off', () => {
    expect(traceSettings({}, 's')).toBeUndefined();
    for (const off of [
      { OTEL_SDK_DISABLED: 'true' },
      { OTEL_TRACES_EXPORTER: 'none' },
      { OTEL_TRACES_SAMPLER: 'always_off' },
      { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' },
    ])
      expect(traceSettings({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, ...off }, 's')).toBeUndefined();
  });

  test('below the common endpoint, with headers, service and attributes', () => {
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: `${endpoint}/base/`,
      OTEL_EXPORTER_OTLP_HEADERS: 'api-key=a%20b, x = y ',
      OTEL_RESOURCE_ATTRIBUTES: 'team=evals,service.name=other',
      OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '0.25',
      OTEL_EXPORTER_OTLP_TIMEOUT: '900',
    };
    expect(traceSettings(env, 'evalsaga')).toEqual({
      url: `${endpoint}/base/v1/traces`,
      headers: { 'api-key': 'a b', x: 'y' },
      resource: { 'service.name': 'other', team: 'evals' },
      ratio: 0.25,
      timeoutMs: 900,
    });
    expect(traceSettings({ ...env, OTEL_SERVICE_NAME: 'mine' }, 'evalsaga')?.resource).toMatchObject({
      'service.name': 'mine',
    });
  });

  test('to the endpoint of traces, as it is', () => {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4317', OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://t/in' };
    expect(traceSettings(env, 's')).toMatchObject({ url: 'https://t/in', ratio: 1, resource: { 'service.name': 's' } });
  });

  test.each([
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'collector' }, /OTEL_EXPORTER_OTLP_ENDPOINT takes a URL/],
    [
      { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '2' },
      /OTEL_TRACES_SAMPLER_ARG/,
    ],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_EXPORTER_OTLP_HEADERS: 'a=%zz' }, /percent-encoded/],
  ])('%j is refused', (env, words) => expect(() => traceSettings(env, 's')).toThrow(words));

  test.each([
    [{}, endpoint, 'http'],
    [{}, 'http://c:4317', 'grpc'],
    [{}, 'http://c', 'http'],
    [{ OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf' }, 'http://c:4317', 'http'],
    [{ OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, endpoint, 'grpc'],
  ])('%j and %s: %s', (env, url, protocol) => expect(otlpProtocol(env, url)).toBe(protocol));

  test('one signal is below the common endpoint', () => {
    expect(signalUrl('http://c:4318/', 'metrics')).toBe('http://c:4318/v1/metrics');
    expect(pairsOf(undefined)).toEqual({});
  });
});
