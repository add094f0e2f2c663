import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ApplicationFailure } from '@temporalio/common';
import type { Context } from '@temporalio/activity';
import { jsonLine } from '../../../src/worker/json-log';
import { measurementsOf, startingZeros, type Measurement } from '../../../src/worker/measurements';
import { countingFetch, measuringInterceptor } from '../../../src/worker/metrics';
import { cachedWorkflows } from '../../../src/worker/heap';
import { slotsOf } from '../../../src/worker/operations';
import { operationsApp, startOperationsServer } from '../../../src/worker/operations-server';
import { buildOf } from '../../../src/temporal/worker-build';

describe('what an ended attempt adds to the metrics', () => {
  const completed = (activity: string, result: unknown = undefined) =>
    measurementsOf(activity, { kind: 'completed', result }, 7);

  test.each<[string, unknown, readonly Measurement[]]>([
    ['createEndpoint', { lost: false }, [{ metric: 'evalsaga_endpoints_created', value: 1 }]],
    ['awaitEndpointReady', { url: 'u' }, [{ metric: 'evalsaga_ready', value: 7 }]],
    ['submitJob', { id: 'j' }, [{ metric: 'evalsaga_jobs_submitted', value: 1 }]],
    [
      'saveLogAndRemoveEndpoint',
      null,
      [
        { metric: 'evalsaga_endpoints_removed', value: 1 },
        { metric: 'evalsaga_teardown', value: 7, tags: { kind: 'endpoint' } },
      ],
    ],
    ['bringHome', { results: { bytes: 12 } }, [{ metric: 'evalsaga_results', value: 12 }]],
    [
      'bringHome',
      { results: { bytes: 0 }, endpointGoneAt: '2026-11-28T15:00:00.000Z' },
      [
        { metric: 'evalsaga_endpoints_removed', value: 1 },
        { metric: 'evalsaga_teardown', value: 7, tags: { kind: 'endpoint' } },
      ],
    ],
    ['fetchResults', { bytes: 0 }, []],
    ['describeEndpoint', 'Starting', []],
  ])('%s', (activity, result, expected) => {
    expect(completed(activity, result)).toEqual(expected);
  });

  test('a sweep counts what it removed by kind, what it could not, and what is in use', () => {
    const one = { name: 'n', invocation: 'i' };
    const removed = [
      { kind: 'endpoint', ...one },
      { kind: 'endpoint', ...one },
      { kind: 'job', ...one },
    ];
    const report = { removed, failed: [one], spared: 5, unnamed: { removed: 0, failed: 2 } };
    expect(completed('sweepPlatform', report)).toEqual([
      { metric: 'evalsaga_sweeps', value: 1 },
      { metric: 'evalsaga_swept', value: 2, tags: { kind: 'endpoint' } },
      { metric: 'evalsaga_swept', value: 1, tags: { kind: 'job' } },
      { metric: 'evalsaga_sweep_left', value: 3 },
      { metric: 'evalsaga_resources', value: 5 },
    ]);
  });

  test('a failure counts once Temporal gives up, never before', () => {
    const failure = (isFinal: boolean) => ({ kind: 'failed', type: 'RequestRefused', isFinal }) as const;
    expect(measurementsOf('removeEndpoint', failure(false), 7)).toEqual([]);
    expect(measurementsOf('removeEndpoint', failure(true), 7)).toEqual([
      { metric: 'evalsaga_teardown_failed', value: 1, tags: { kind: 'endpoint' } },
    ]);
    expect(measurementsOf('awaitJobCompleted', failure(true), 7)).toEqual([
      { metric: 'evalsaga_jobs_ended', value: 1, tags: { outcome: 'RequestRefused' } },
    ]);
  });

  test('the counters that alerts watch start at zero', () => {
    expect(startingZeros.every(({ value }) => value === 0)).toBe(true);
    expect(startingZeros.map(({ metric, tags }) => `${metric} ${tags?.['kind'] ?? ''}`)).toEqual(
      expect.arrayContaining(['evalsaga_swept endpoint', 'evalsaga_teardown_failed storage', 'evalsaga_sweeps ']),
    );
  });
});

test('the interceptor passes results and failures on, and measures both', async () => {
  const seen: Measurement[] = [];
  const context = { info: { activityType: 'removeJob', scheduledTimestampMs: Date.now() - 4_000 } } as Context;
  const { inbound } = measuringInterceptor((measurement) => seen.push(measurement))(context);
  const run = (next: () => Promise<unknown>) => inbound?.execute?.({ args: [], headers: {} }, next);
  expect(await run(() => Promise.resolve('gone'))).toBe('gone');
  const failure = ApplicationFailure.nonRetryable('refused', 'RequestRefused');
  await expect(run(() => Promise.reject(failure))).rejects.toBe(failure);
  expect(seen.map(({ metric }) => metric)).toEqual(['evalsaga_teardown', 'evalsaga_teardown_failed']);
  expect(seen[0]?.value).toBeGreaterThanOrEqual(4);
});

test('requests are counted by method and status, also those without an answer', async () => {
  const seen: unknown[] = [];
  const init = { method: 'GET', headers: {}, signal: new AbortController().signal, redirect: 'follow' } as const;
  const response = { status: 429, statusText: '', headers: { get: () => null }, body: null };
  const answered = countingFetch(
    () => Promise.resolve(response),
    ({ tags }) => seen.push(tags),
  );
  expect(await answered('http://platform', init)).toBe(response);
  const cut = countingFetch(
    () => Promise.reject(new Error('reset')),
    ({ tags }) => seen.push(tags),
  );
  await expect(cut('http://platform', init)).rejects.toThrow('reset');
  expect(seen).toEqual([
    { method: 'GET', status: '429' },
    { method: 'GET', status: 'none' },
  ]);
});

describe('the operations server', () => {
  const app = (state: 'starting' | 'serving' | 'ending' | 'failed', metricsUrl = 'http://127.0.0.1:1/') =>
    operationsApp({ state: () => state, metricsUrl });
  const statuses = async (state: Parameters<typeof app>[0]) =>
    Promise.all(['/healthz', '/readyz'].map(async (path) => (await app(state).request(path)).status));

  test('healthy unless failed, ready only while it serves', async () => {
    expect(await statuses('starting')).toEqual([200, 503]);
    expect(await statuses('serving')).toEqual([200, 200]);
    expect(await statuses('ending')).toEqual([200, 503]);
    expect(await statuses('failed')).toEqual([503, 503]);
  });

  test("passes on the SDK's metrics, and says when there are none", async () => {
    const sdk = createServer((_, response) => response.end('temporal_num_pollers 10\n'));
    sdk.listen(0, '127.0.0.1');
    await once(sdk, 'listening');
    const { port } = sdk.address() as AddressInfo;
    const server = await startOperationsServer({
      host: '127.0.0.1',
      port: 0,
      metricsUrl: `http://127.0.0.1:${port}/metrics`,
      state: () => 'serving',
    });
    try {
      const answer = await fetch(`http://127.0.0.1:${server.port}/metrics`);
      expect([answer.headers.get('content-type'), await answer.text()]).toEqual([
        expect.stringContaining('text/plain; version=0.0.4'),
        'temporal_num_pollers 10\n',
      ]);
      await expect(
        startOperationsServer({ host: '127.0.0.1', port: server.port, metricsUrl: '', state: () => 'serving' }),
      ).rejects.toMatchObject({ name: 'InfrastructureError', message: expect.stringContaining('EADDRINUSE') });
    } finally {
      await server.close();
      sdk.close();
    }
    expect((await app('serving').request('/metrics')).status).toBe(503);
  });
});

test('a log line in JSON names run and task', () => {
  const line = (workflowId: string, error?: unknown) =>
    JSON.parse(
      jsonLine({
        message: 'm',
        level: 'WARN',
        timestampNanos: 1_000_000_000n,
        meta: { workflowId, error, size: 3n },
      }),
    ) as unknown;
  expect(line('eval-0123456789abcdef.12')).toEqual({
    time: '1970-01-01T00:00:01.000Z',
    level: 'warn',
    message: 'm',
    run: '0123456789abcdef',
    task: 12,
    workflowId: 'eval-0123456789abcdef.12',
    size: '3',
  });
  expect(line('eval-0123456789abcdef', new TypeError('bad'))).toMatchObject({
    error: { type: 'TypeError', message: 'bad' },
  });
  expect(line('eval-0123456789abcdef')).not.toHaveProperty('task');
});

test('slots come from the environment, and a value that is no count is refused', () => {
  expect(slotsOf({})).toEqual({});
  expect(slotsOf({ EVALSAGA_MAX_ACTIVITIES: '50', EVALSAGA_ACTIVITY_POLLERS: '4' })).toEqual({
    maxConcurrentActivityTaskExecutions: 50,
    maxConcurrentActivityTaskPolls: 4,
  });
  expect(slotsOf({ EVALSAGA_HEARTBEAT_INTERVAL: '20' })).toEqual({ maxHeartbeatThrottleInterval: 20_000 });
  // A wait counts as lost after 30 s.
  for (const late of ['21', '0', 'often'])
    expect(() => slotsOf({ EVALSAGA_HEARTBEAT_INTERVAL: late })).toThrow(/seconds from 1 to 20/);
  expect(() => slotsOf({ EVALSAGA_MAX_CACHED_WORKFLOWS: 'many' })).toThrow(
    /EVALSAGA_MAX_CACHED_WORKFLOWS takes a whole number/,
  );
});

test("the build comes from our variables, else from those of Temporal's worker controller", () => {
  const controller = { TEMPORAL_DEPLOYMENT_NAME: 'ns/evals', TEMPORAL_WORKER_BUILD_ID: 'abc' };
  expect(buildOf(controller)).toEqual({ deploymentName: 'ns/evals', buildId: 'abc' });
  const own = { EVALSAGA_DEPLOYMENT_NAME: 'evals', EVALSAGA_BUILD_ID: '7' };
  expect(buildOf({ ...controller, ...own })).toEqual({ deploymentName: 'evals', buildId: '7' });
  expect(() => buildOf({ TEMPORAL_DEPLOYMENT_NAME: 'ns/evals' })).toThrow(/TEMPORAL_WORKER_BUILD_ID/);
});

test('the cache of workflows follows from the heap limit', () => {
  expect([0.25, 1, 4, 64].map((gibibytes) => cachedWorkflows(gibibytes * 2 ** 30))).toEqual([
    1_000, 3_072, 12_000, 12_000,
  ]);
});
