import type { Activities } from '../activities';

/** One value for a metric; `metrics.ts` says what each metric is. */
export interface Measurement {
  readonly metric: MetricName;
  readonly value: number;
  readonly tags?: Readonly<Record<string, string>>;
}

/** Every metric of our own: its kind, its unit and what it counts. Those of the SDK (`temporal_…`) come beside them. */
export const metricDefinitions = {
  evalsaga_endpoints_created: {
    kind: 'counter',
    unit: '',
    description: 'Endpoints created, or adopted after a lost answer',
  },
  evalsaga_endpoints_removed: { kind: 'counter', unit: '', description: 'Endpoints verified gone by their task' },
  evalsaga_ready: {
    kind: 'histogram',
    unit: 'seconds',
    description: 'Seconds from the wait for an endpoint to its Ready',
  },
  evalsaga_teardown: {
    kind: 'histogram',
    unit: 'seconds',
    description: 'Seconds for removing one endpoint, job or folder',
  },
  evalsaga_teardown_failed: { kind: 'counter', unit: '', description: 'Removals that were given up' },
  evalsaga_jobs_submitted: { kind: 'counter', unit: '', description: 'Evaluation jobs submitted' },
  evalsaga_jobs_ended: { kind: 'counter', unit: '', description: 'Evaluation jobs that ended, by outcome' },
  evalsaga_results: { kind: 'counter', unit: 'bytes', description: 'Bytes of results brought home' },
  evalsaga_runs_ended: { kind: 'counter', unit: '', description: 'Runs that ended, by outcome' },
  evalsaga_sweeps: { kind: 'counter', unit: '', description: 'Sweeps of a platform' },
  evalsaga_swept: {
    kind: 'counter',
    unit: '',
    description: 'What outlived its task and was removed by a sweep, by kind',
  },
  evalsaga_sweep_left: { kind: 'gauge', unit: '', description: 'What the last sweep could not remove' },
  evalsaga_resources: { kind: 'gauge', unit: '', description: 'Endpoints and jobs of open runs at the last sweep' },
  evalsaga_platform_requests: {
    kind: 'counter',
    unit: '',
    description: 'Requests to the platform, by method and status',
  },
} as const satisfies Readonly<Record<string, MetricDefinition>>;

export interface MetricDefinition {
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly unit: '' | 'seconds' | 'bytes';
  readonly description: string;
}

export type MetricName = keyof typeof metricDefinitions;

const kinds = ['endpoint', 'job', 'storage'] as const;

/**
 * Zeros for a worker that starts: a counter that appeared only with its first event would already be at 1, and Prometheus'
 * `increase`, on which alerts rest, would not see that event.
 */
export const startingZeros: readonly Measurement[] = [
  ...(['evalsaga_endpoints_created', 'evalsaga_endpoints_removed', 'evalsaga_sweeps'] as const).map((metric) => ({
    metric,
    value: 0,
  })),
  ...(['evalsaga_swept', 'evalsaga_teardown_failed'] as const).flatMap((metric) =>
    kinds.map((kind) => ({ metric, value: 0, tags: { kind } })),
  ),
];

/** How an attempt of an activity ended. */
export type AttemptEnd =
  | { readonly kind: 'completed'; readonly result: unknown }
  /** `isFinal`: Temporal does not try again. */
  | { readonly kind: 'failed'; readonly type: string | undefined; readonly isFinal: boolean };

/** What an ended attempt adds to the metrics. `seconds`: since the activity was scheduled. Pure. */
export function measurementsOf(activity: string, end: AttemptEnd, seconds: number): readonly Measurement[] {
  const name = activity as keyof Activities;
  if (end.kind === 'failed') return end.isFinal ? failed(name, end.type) : [];
  const { result } = end;
  switch (name) {
    case 'createEndpoint':
      return [{ metric: 'evalsaga_endpoints_created', value: 1 }];
    case 'awaitEndpointReady':
      return [{ metric: 'evalsaga_ready', value: seconds }];
    case 'submitJob':
      return [{ metric: 'evalsaga_jobs_submitted', value: 1 }];
    case 'awaitJobCompleted':
      return [{ metric: 'evalsaga_jobs_ended', value: 1, tags: { outcome: 'completed' } }];
    case 'removeEndpoint':
    case 'saveLogAndRemoveEndpoint':
      return [{ metric: 'evalsaga_endpoints_removed', value: 1 }, removal('endpoint', seconds)];
    case 'removeJob':
      return [removal('job', seconds)];
    case 'removeStorage':
    case 'removeJobAndStorage':
      return [removal('storage', seconds)];
    case 'fetchResults':
      return bytesOf(result);
    case 'bringHome': {
      const { results, endpointGoneAt } = (result ?? {}) as { results?: unknown; endpointGoneAt?: unknown };
      // It has seen the endpoint gone that was released when the job completed.
      const gone: Measurement[] =
        endpointGoneAt === undefined
          ? []
          : [{ metric: 'evalsaga_endpoints_removed', value: 1 }, removal('endpoint', seconds)];
      return [...bytesOf(results), ...gone];
    }
    case 'sweepPlatform':
      return sweepOf(result);
    default:
      return [];
  }
}

const removal = (kind: string, seconds: number): Measurement => ({
  metric: 'evalsaga_teardown',
  value: seconds,
  tags: { kind },
});

function failed(name: keyof Activities, type: string | undefined): readonly Measurement[] {
  switch (name) {
    case 'awaitJobCompleted':
      return type === undefined ? [] : [{ metric: 'evalsaga_jobs_ended', value: 1, tags: { outcome: type } }];
    case 'removeEndpoint':
    case 'saveLogAndRemoveEndpoint':
      return [{ metric: 'evalsaga_teardown_failed', value: 1, tags: { kind: 'endpoint' } }];
    case 'removeJob':
      return [{ metric: 'evalsaga_teardown_failed', value: 1, tags: { kind: 'job' } }];
    case 'removeStorage':
      return [{ metric: 'evalsaga_teardown_failed', value: 1, tags: { kind: 'storage' } }];
    default:
      return [];
  }
}

function bytesOf(result: unknown): readonly Measurement[] {
  const bytes = (result as { bytes?: unknown } | null | undefined)?.bytes;
  return typeof bytes === 'number' && bytes > 0 ? [{ metric: 'evalsaga_results', value: bytes }] : [];
}

function sweepOf(result: unknown): readonly Measurement[] {
  const { removed, failed: left, spared, unnamed } = result as Awaited<ReturnType<Activities['sweepPlatform']>>;
  const swept = [...new Set(removed.map(({ kind }) => kind))];
  return [
    { metric: 'evalsaga_sweeps', value: 1 },
    ...swept.map((kind): Measurement => {
      const value = removed.filter((resource) => resource.kind === kind).length;
      return { metric: 'evalsaga_swept', value, tags: { kind } };
    }),
    { metric: 'evalsaga_sweep_left', value: left.length + unnamed.failed },
    { metric: 'evalsaga_resources', value: spared },
  ];
}
