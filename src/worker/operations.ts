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
  const url = env['OTEL_EXPORTER_OTLP_METRICS_ENDPOINT'] ?? env['OTEL_EXPORTER_OTLP_ENDPOINT'];
  if (url === undefined || url === '') return { kind: 'none' };
  if (!URL.canParse(url))
    throw new InfrastructureError('OTEL_EXPORTER_OTLP_ENDPOINT takes a URL, such as http://collector:4317.');
  const pairs = (env['OTEL_EXPORTER_OTLP_HEADERS'] ?? '').split(',').filter((pair) => pair.includes('='));
  const headers = pairs.map((pair): [string, string] => {
    const at = pair.indexOf('=');
    return [pair.slice(0, at).trim(), decodeURIComponent(pair.slice(at + 1).trim())];
  });
  return { kind: 'otlp', url, headers: Object.fromEntries(headers) };
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
    ...count('EVALSAGA_MAX_ACTIVITIES', 'maxConcurrentActivityTaskExecutions'),
    ...count('EVALSAGA_MAX_WORKFLOW_TASKS', 'maxConcurrentWorkflowTaskExecutions'),
    ...count('EVALSAGA_MAX_CACHED_WORKFLOWS', 'maxCachedWorkflows'),
    ...count('EVALSAGA_ACTIVITY_POLLERS', 'maxConcurrentActivityTaskPolls'),
    ...count('EVALSAGA_WORKFLOW_POLLERS', 'maxConcurrentWorkflowTaskPolls'),
  };
}
