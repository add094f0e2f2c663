import { createServer } from 'node:net';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import {
  DefaultLogger,
  Runtime,
  type LogEntry,
  type LogLevel,
  type Worker,
  type WorkerOptions,
} from '@temporalio/worker';
import { InfrastructureError } from '../temporal/infrastructure-error';
import type { Env } from '../temporal/target';
import { otlpProtocol, pairsOf, signalUrl, TraceSettingsError } from '../tracing/settings';
import { jsonLine } from './json-log';
import { startingZeros } from './measurements';
import { recorderOn, telemetryOf, type MetricsTarget, type Recorder } from './metrics';
import { startOperationsServer } from './operations-server';

/** How a worker is watched from outside: logs, metrics, health. */
export interface Operations {
  readonly record: Recorder;
  /** Call once the worker exists; before, it is `starting`. */
  readonly watch: (worker: Pick<Worker, 'getState'>) => void;
  readonly close: () => Promise<void>;
}

/**
 * Installs the SDK's runtime and starts the operations server, as the environment says: `EVALSAGA_METRICS_ADDRESS` (`host:port`),
 * else `OTEL_EXPORTER_OTLP_ENDPOINT` for metrics; `EVALSAGA_LOG_LEVEL`, `EVALSAGA_LOG_FORMAT` (`text`, `json`). Throws
 * `InfrastructureError` for a value that can't be used.
 */
export async function startOperations(env: Env): Promise<Operations> {
  const address = addressOf(env);
  const target = await targetOf(env, address);
  Runtime.install({ logger: loggerOf(env), telemetryOptions: telemetryOf(target) });
  const record = recorderOn(Runtime.instance().metricMeter);
  startingZeros.forEach(record);
  let worker: Pick<Worker, 'getState'> | undefined;
  const server =
    address && target.kind === 'prometheus'
      ? await startOperationsServer({
          ...address,
          metricsUrl: `http://${target.bindAddress}/metrics`,
          state: () => stateOf(worker),
        })
      : undefined;
  if (server && address) process.stderr.write(`metrics and health at http://${address.host}:${server.port}\n`);
  return {
    record,
    watch: (started) => void (worker = started),
    close: async () => server?.close(),
  };
}

function stateOf(worker: Pick<Worker, 'getState'> | undefined): 'starting' | 'serving' | 'ending' | 'failed' {
  switch (worker?.getState()) {
    case undefined:
    case 'INITIALIZED':
      return 'starting';
    case 'RUNNING':
      return 'serving';
    case 'STOPPING':
    case 'DRAINING':
    case 'DRAINED':
    case 'STOPPED':
      return 'ending';
    case 'FAILED':
      return 'failed';
  }
}

function addressOf(env: Env): { readonly host: string; readonly port: number } | undefined {
  const text = env['EVALSAGA_METRICS_ADDRESS'];
  if (text === undefined || text === '') return undefined;
  const [, host = '', digits = ''] = /^\[?([^\]]*?)\]?:(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === '' || port > 65_535)
    throw new InfrastructureError(`EVALSAGA_METRICS_ADDRESS takes host:port, such as 0.0.0.0:9464, not "${text}".`);
  return { host: host === '' ? '0.0.0.0' : host, port };
}

async function targetOf(env: Env, address: unknown): Promise<MetricsTarget> {
  if (address) return { kind: 'prometheus', bindAddress: `127.0.0.1:${await freePort()}` };
  const own = env['OTEL_EXPORTER_OTLP_METRICS_ENDPOINT'];
  const url = own || env['OTEL_EXPORTER_OTLP_ENDPOINT'];
  if (!url || env['OTEL_METRICS_EXPORTER'] === 'none') return { kind: 'none' };
  try {
    const http = otlpProtocol(env, url) === 'http';
    const headers = pairsOf(env['OTEL_EXPORTER_OTLP_METRICS_HEADERS'] || env['OTEL_EXPORTER_OTLP_HEADERS']);
    // Also checks that it is a URL.
    const below = signalUrl(url, 'metrics');
    return { kind: 'otlp', url: http && !own ? below : url, http, headers };
  } catch (error) {
    if (error instanceof TraceSettingsError) throw new InfrastructureError(error.message, { cause: error });
    throw error;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  const listening = once(server, 'listening');
  server.listen({ host: '127.0.0.1', port: 0 });
  await listening;
  const { port } = server.address() as AddressInfo;
  const closed = once(server, 'close');
  server.close();
  await closed;
  return port;
}

function loggerOf(env: Env): DefaultLogger {
  const level = (env['EVALSAGA_LOG_LEVEL']?.toUpperCase() ?? 'INFO') as LogLevel;
  switch (env['EVALSAGA_LOG_FORMAT'] || 'text') {
    case 'text':
      return new DefaultLogger(level);
    case 'json':
      return new DefaultLogger(level, (entry: LogEntry) => process.stderr.write(`${jsonLine(entry)}\n`));
    default:
      throw new InfrastructureError(`EVALSAGA_LOG_FORMAT takes text or json, not "${env['EVALSAGA_LOG_FORMAT']}".`);
  }
}

/** Settings of the worker's slots by environment; absent: the product's own. Throws `InfrastructureError`. */
export function slotsOf(env: Env): Partial<WorkerOptions> {
  const count = <K extends keyof WorkerOptions>(name: string, option: K): Partial<WorkerOptions> => {
    const text = env[name];
    if (text === undefined || text === '') return {};
    if (/^[1-9]\d{0,5}$/.test(text)) return { [option]: Number(text) };
    throw new InfrastructureError(`${name} takes a whole number from 1 to 999999, not "${text}".`);
  };
  return {
    ...heartbeatsOf(env),
    ...count('EVALSAGA_MAX_ACTIVITIES', 'maxConcurrentActivityTaskExecutions'),
    ...count('EVALSAGA_MAX_WORKFLOW_TASKS', 'maxConcurrentWorkflowTaskExecutions'),
    ...count('EVALSAGA_MAX_CACHED_WORKFLOWS', 'maxCachedWorkflows'),
    ...count('EVALSAGA_ACTIVITY_POLLERS', 'maxConcurrentActivityTaskPolls'),
    ...count('EVALSAGA_WORKFLOW_POLLERS', 'maxConcurrentWorkflowTaskPolls'),
  };
}

/** Waits count as lost after 30 s without a heartbeat, so that none may come later than after 20. */
function heartbeatsOf(env: Env): Pick<WorkerOptions, 'maxHeartbeatThrottleInterval'> {
  const text = env['EVALSAGA_HEARTBEAT_INTERVAL'];
  if (text === undefined || text === '') return {};
  const seconds = Number(text);
  if (seconds >= 1 && seconds <= 20) return { maxHeartbeatThrottleInterval: seconds * 1_000 };
  throw new InfrastructureError(`EVALSAGA_HEARTBEAT_INTERVAL takes seconds from 1 to 20, not "${text}".`);
}
