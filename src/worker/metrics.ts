import type { Context } from '@temporalio/activity';
import { ApplicationFailure, CancelledFailure, type MetricMeter } from '@temporalio/common';
import type { ActivityInterceptorsFactory, RuntimeOptions } from '@temporalio/worker';
import type { RecordRunInput } from '../contract/inputs/run';
import type { Fetch } from '../lepton/http';
import { measurementsOf, metricDefinitions, type AttemptEnd, type Measurement, type MetricName } from './measurements';

/** Records measurements with the SDK's own meter, so that they leave the worker on the same way as the SDK's metrics. */
export type Recorder = (measurement: Measurement) => void;

/** Buckets of our durations: from a local platform's tenths of a second to the hours of a large model, seconds. */
const durationBuckets = [0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1_200, 2_400, 4_800, 9_600];

export function recorderOn(meter: MetricMeter): Recorder {
  const instruments = new Map<MetricName, Recorder>();
  const instrumentFor = (name: MetricName): Recorder => {
    const { kind, unit, description } = metricDefinitions[name];
    switch (kind) {
      case 'counter': {
        const counter = meter.createCounter(name, unit, description);
        return ({ value, tags }) => counter.add(value, tags);
      }
      case 'gauge': {
        const gauge = meter.createGauge(name, 'int', unit, description);
        return ({ value, tags }) => gauge.set(value, tags);
      }
      case 'histogram': {
        const histogram = meter.createHistogram(name, 'float', unit, description);
        return ({ value, tags }) => histogram.record(value, tags);
      }
    }
  };
  return (measurement) => {
    const known = instruments.get(measurement.metric) ?? instrumentFor(measurement.metric);
    instruments.set(measurement.metric, known);
    known(measurement);
  };
}

/** Measures every attempt of every activity. */
export const measuringInterceptor =
  (record: Recorder): ActivityInterceptorsFactory =>
  (context: Context) => ({
    inbound: {
      async execute(input, next) {
        const { activityType, scheduledTimestampMs } = context.info;
        const note = (end: AttemptEnd): void =>
          measurementsOf(activityType, end, Math.max(0, Date.now() - scheduledTimestampMs) / 1000).forEach(record);
        try {
          const result: unknown = await next(input);
          note({ kind: 'completed', result });
          if (activityType === 'recordRun') record(runEnded(input.args[0] as RecordRunInput));
          return result;
        } catch (error) {
          note({ kind: 'failed', type: typeOf(error), isFinal: isFinal(error) });
          throw error;
        }
      },
    },
  });

const runEnded = ({ outcome }: RecordRunInput): Measurement => ({
  metric: 'evalsaga_runs_ended',
  value: 1,
  tags: { outcome },
});

const isFinal = (error: unknown): boolean => error instanceof ApplicationFailure && error.nonRetryable === true;

const typeOf = (error: unknown): string | undefined =>
  error instanceof ApplicationFailure
    ? (error.type ?? undefined)
    : error instanceof CancelledFailure
      ? 'Cancelled'
      : undefined;

/** Counts the requests of a platform's client; status `none` is no answer. */
export const countingFetch =
  (fetch: Fetch, record: Recorder): Fetch =>
  async (url, init) => {
    const count = (status: string): void =>
      record({ metric: 'evalsaga_platform_requests', value: 1, tags: { method: init.method, status } });
    try {
      const response = await fetch(url, init);
      count(String(response.status));
      return response;
    } catch (error) {
      count('none');
      throw error;
    }
  };

/**
 * Where the SDK sends metrics: to a Prometheus endpoint on this machine's loopback, which `operations-server.ts` passes on, to an
 * OTLP collector, or nowhere.
 */
export type MetricsTarget =
  | { readonly kind: 'prometheus'; readonly bindAddress: string }
  | {
      readonly kind: 'otlp';
      readonly url: string;
      /** OTLP over HTTP instead of gRPC. */
      readonly http: boolean;
      readonly headers: Readonly<Record<string, string>>;
    }
  | { readonly kind: 'none' };

export function telemetryOf(target: MetricsTarget): NonNullable<RuntimeOptions['telemetryOptions']> {
  switch (target.kind) {
    case 'prometheus':
      return {
        metrics: {
          prometheus: {
            bindAddress: target.bindAddress,
            countersTotalSuffix: true,
            unitSuffix: true,
            useSecondsForDurations: true,
            histogramBucketOverrides: { evalsaga_ready: durationBuckets, evalsaga_teardown: durationBuckets },
          },
        },
      };
    case 'otlp':
      return {
        metrics: {
          otel: { url: target.url, http: target.http, headers: { ...target.headers }, useSecondsForDurations: true },
        },
      };
    case 'none':
      return {};
  }
}
