import { messageOf } from '../support/error-message';

/** How traces are exported: a part of OpenTelemetry's variables. */
export interface TraceSettings {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** What sent the spans. */
  readonly resource: Readonly<Record<string, string>>;
  /** Part of the runs that are traced, 0 to 1. */
  readonly ratio: number;
  /** Milliseconds for one request to the collector. */
  readonly timeoutMs: number;
}

/** What the environment asks for can't be done. */
export class TraceSettingsError extends Error {}

type Env = Readonly<Record<string, string | undefined>>;

/**
 * Reads `OTEL_*`; `undefined`: nothing is traced. Traces go out as OTLP over HTTP, so a collector that is named for gRPC alone gets none.
 * Throws `TraceSettingsError`. Pure.
 */
export function traceSettings(env: Env, service: string): TraceSettings | undefined {
  const url = tracesUrl(env);
  if (url === undefined || isOff(env)) return undefined;
  const ratio = ratioOf(env);
  if (ratio === 0) return undefined;
  return {
    url,
    headers: pairsOf(env['OTEL_EXPORTER_OTLP_TRACES_HEADERS'] || env['OTEL_EXPORTER_OTLP_HEADERS']),
    resource: {
      'service.name': service,
      ...pairsOf(env['OTEL_RESOURCE_ATTRIBUTES']),
      ...(env['OTEL_SERVICE_NAME'] ? { 'service.name': env['OTEL_SERVICE_NAME'] } : {}),
    },
    ratio,
    timeoutMs: timeoutOf(env),
  };
}

const isOff = (env: Env): boolean =>
  env['OTEL_SDK_DISABLED']?.toLowerCase() === 'true' || env['OTEL_TRACES_EXPORTER'] === 'none';

function tracesUrl(env: Env): string | undefined {
  const own = env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'];
  if (own) return checkedUrl(own, 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT').href;
  const common = env['OTEL_EXPORTER_OTLP_ENDPOINT'];
  if (!common || otlpProtocol(env, common) === 'grpc') return undefined;
  return signalUrl(common, 'traces');
}

/** Returns the address of one signal (`traces`, `metrics`) below the common one, for OTLP over HTTP. Throws `TraceSettingsError`. */
export const signalUrl = (common: string, signal: 'traces' | 'metrics'): string =>
  `${checkedUrl(common, 'OTEL_EXPORTER_OTLP_ENDPOINT').href.replace(/\/$/, '')}/v1/${signal}`;

function checkedUrl(text: string, name: string): URL {
  try {
    return new URL(text);
  } catch {
    throw new TraceSettingsError(`${name} takes a URL, such as http://collector:4318, not "${text}".`);
  }
}

/** Decides by `OTEL_EXPORTER_OTLP_PROTOCOL`; where it is not set, port 4317, which is gRPC's, means gRPC. Pure. */
export function otlpProtocol(env: Env, url: string): 'grpc' | 'http' {
  const named = env['OTEL_EXPORTER_OTLP_PROTOCOL'];
  if (named) return named === 'grpc' ? 'grpc' : 'http';
  return URL.canParse(url) && new URL(url).port === '4317' ? 'grpc' : 'http';
}

/** Reads `key=value,key=value`, values percent-encoded. Throws `TraceSettingsError`. Pure. */
export function pairsOf(text: string | undefined): Record<string, string> {
  const pairs = (text ?? '').split(',').filter((pair) => pair.includes('='));
  try {
    return Object.fromEntries(
      pairs.map((pair): [string, string] => {
        const at = pair.indexOf('=');
        return [pair.slice(0, at).trim(), decodeURIComponent(pair.slice(at + 1).trim())];
      }),
    );
  } catch (error) {
    throw new TraceSettingsError(
      `OTEL_ headers and attributes are key=value pairs with percent-encoded values (${messageOf(error)}).`,
    );
  }
}

function ratioOf(env: Env): number {
  const sampler = env['OTEL_TRACES_SAMPLER']?.replace(/^parentbased_/, '');
  if (sampler === 'always_off') return 0;
  if (sampler !== 'traceidratio') return 1;
  const ratio = Number(env['OTEL_TRACES_SAMPLER_ARG'] || '1');
  if (ratio >= 0 && ratio <= 1) return ratio;
  throw new TraceSettingsError(
    `OTEL_TRACES_SAMPLER_ARG takes a number from 0 to 1, not "${env['OTEL_TRACES_SAMPLER_ARG']}".`,
  );
}

function timeoutOf(env: Env): number {
  const given = Number(env['OTEL_EXPORTER_OTLP_TRACES_TIMEOUT'] || env['OTEL_EXPORTER_OTLP_TIMEOUT'] || Number.NaN);
  return given > 0 ? given : 10_000;
}
