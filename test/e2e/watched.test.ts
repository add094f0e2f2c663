import { commandBench, type CommandBench, type LeptonStandIn } from '../support/command';
import { freePortForLater } from '../../src/local-platform/runtimes/process/ports';
import { startServer, type TestServer } from '../support/http-server';
import { startPrometheus, type Prometheus } from '../support/prometheus';
import { quickPlan } from '../support/simulated';

/** A run as those see it who operate workers: one trace at a collector, and metrics in a real Prometheus. */

interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly attributes: readonly { readonly key: string; readonly value: { stringValue?: string; intValue?: string } }[];
  readonly service: string;
}

let bench: CommandBench;
let collector: TestServer;
let platform: LeptonStandIn;
let prometheus: Prometheus;
let invocation: string;

beforeAll(async () => {
  bench = await commandBench('watched');
  platform = await bench.lepton(quickPlan);
  collector = await startServer((_request, response) => void response.writeHead(200).end('{}'));
  const target = `127.0.0.1:${await freePortForLater()}`;
  prometheus = await startPrometheus({ folder: bench.folder, target });
  const env = {
    ...platform.env,
    EVALSAGA_METRICS_ADDRESS: target,
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_EXPORTER_OTLP_HEADERS: 'tenant=evals',
  };
  const { code, stdout, stderr } = await bench.run(['start', bench.config, '--json'], env);
  expect(`${code} ${stderr}`).toMatch(/^0 /);
  ({ invocation } = JSON.parse(stdout) as { invocation: string });
});
afterAll(async () => {
  await prometheus.close();
  await bench.dispose();
  await collector.close();
});

const attribute = ({ attributes }: Span, name: string): string | undefined => {
  const value = attributes.find(({ key }) => key === name)?.value;
  return value?.stringValue ?? value?.intValue;
};

function spansReceived(): Span[] {
  return collector.seen
    .filter(({ url }) => url === '/v1/traces')
    .flatMap(({ body }) => {
      const { resourceSpans } = JSON.parse(body) as {
        resourceSpans: { resource: Pick<Span, 'attributes'>; scopeSpans: { spans: Span[] }[] }[];
      };
      return resourceSpans.flatMap(({ resource, scopeSpans }) =>
        scopeSpans.flatMap(({ spans }) =>
          spans.map((span) => ({ ...span, service: resource.attributes[0]?.value.stringValue ?? '' })),
        ),
      );
    });
}

test('one trace leads from the start through workflows and activities to each request to the platform', async () => {
  const isWhole = (): boolean => spansReceived().some(({ name }) => name === 'RunWorkflow:evaluationRun');
  // The worker exports every two seconds.
  for (let attempt = 0; attempt < 240 && !isWhole(); attempt += 1)
    await new Promise((resolve) => setTimeout(resolve, 250));
  const spans = spansReceived();
  expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1);
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  expect(byId.size).toBe(spans.length);
  const above = (span: Span): Span[] => {
    const parent = byId.get(span.parentSpanId ?? '');
    return parent ? [parent, ...above(parent)] : [];
  };
  const isCreate = (span: Span): boolean =>
    span.name === 'POST' && /\/deployments$/.test(attribute(span, 'url.path') ?? '');
  const creates = spans.filter(isCreate);
  const lines = creates.map((span) => [span, ...above(span)]);
  expect(lines.map((line) => line.map(({ name }) => name))).toEqual(
    Array.from({ length: 3 }, () => [
      'POST',
      'RunActivity:createEndpoint',
      'RunWorkflow:evaluationTask',
      'RunWorkflow:evaluationRun',
      'evalsaga start',
    ]),
  );
  const tasks = lines.map(([, activity]) => activity && attribute(activity, 'evalsaga.task'));
  expect(tasks.toSorted()).toEqual(['0', '1', '2']);
  const runs = lines.flat().filter(({ name }) => name !== 'POST');
  expect(new Set(runs.map((span) => attribute(span, 'evalsaga.run')))).toEqual(new Set([invocation]));
  expect(spans.filter(({ parentSpanId }) => parentSpanId === undefined)).toMatchObject([
    { name: 'evalsaga start', service: 'evalsaga' },
  ]);
  expect(new Set(spans.map(({ service }) => service))).toEqual(new Set(['evalsaga', 'evalsaga-worker']));
});

test('the collector gets its headers, and no secret', () => {
  const sent = collector.seen.filter(({ url }) => url === '/v1/traces');
  expect(sent.every(({ headers }) => headers['tenant'] === 'evals')).toBe(true);
  expect(sent.map(({ body }) => body).join('\n')).not.toContain(platform.token);
});

test('Prometheus, scraping the worker, counts what the run did', async () => {
  await prometheus.until('sum(evalsaga_endpoints_created_total)', 3);
  await prometheus.until('sum(evalsaga_endpoints_removed_total)', 3);
  await prometheus.until('sum(evalsaga_runs_ended_total{outcome="succeeded"})', 1);
  await prometheus.until('up{job="evalsaga"}', 1);
  expect(await prometheus.query('sum(temporal_worker_task_slots_available) > bool 0')).toBe(1);
});
