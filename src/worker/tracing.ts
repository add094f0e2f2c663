import type { Context } from '@temporalio/activity';
import { defaultPayloadConverter } from '@temporalio/common';
import type { ActivityInterceptorsFactory, InjectedSinks } from '@temporalio/worker';
import { invocationOf, taskIndexOf } from '../contract/identity';
import {
  traceHeader,
  traceOf,
  type SpanAttributes,
  type TraceCarrier,
  type TracingSinks,
} from '../contract/trace-context';
import type { Fetch } from '../lepton/http';
import type { Env } from '../temporal/target';
import { traceSettingsOf } from '../temporal/trace-settings';
import { currentTrace } from '../tracing/current';
import type { Tracer } from '../tracing/tracer';

/** What a worker adds to the traces of runs. */
export interface WorkerTracing {
  readonly activity: readonly ActivityInterceptorsFactory[];
  readonly sinks: InjectedSinks<TracingSinks>;
  readonly fetch: (fetch: Fetch) => Fetch;
  readonly close: () => Promise<void>;
}

/** Starts tracing if the environment asks for it; loads nothing for it otherwise. Throws `InfrastructureError`. */
export async function startTracing(env: Env): Promise<WorkerTracing> {
  const settings = traceSettingsOf(env, 'evalsaga-worker');
  if (!settings) return off;
  const { Tracer: Made } = await import('../tracing/tracer.js');
  const tracer = new Made(settings);
  return {
    activity: [activityTracing(tracer)],
    sinks: sinksOf((_, span) =>
      tracer.finished({ ...span, attributes: { ...span.attributes, ...whoseOf(span.attributes) } }),
    ),
    fetch: (fetch) => tracedFetch(fetch, tracer),
    close: () => tracer.close(),
  };
}

type Finished = InjectedSinks<TracingSinks>['tracing']['finished']['fn'];

const sinksOf = (fn: Finished): InjectedSinks<TracingSinks> => ({
  tracing: { finished: { fn, callDuringReplay: false } },
});

/** The sinks are there also where nothing is traced: a workflow whose run is traced elsewhere calls them. */
const off: WorkerTracing = {
  activity: [],
  sinks: sinksOf(() => undefined),
  fetch: (fetch) => fetch,
  close: () => Promise.resolve(),
};

const whoseOf = ({ temporalWorkflowId }: SpanAttributes): SpanAttributes =>
  typeof temporalWorkflowId === 'string' ? runAndTask(temporalWorkflowId) : {};

/** Returns the run and the task that a workflow belongs to, as attributes. Pure. */
export function runAndTask(workflowId: string): SpanAttributes {
  const run = invocationOf(workflowId);
  const task = taskIndexOf(workflowId);
  return {
    ...(run === undefined ? {} : { 'evalsaga.run': run }),
    ...(task === undefined ? {} : { 'evalsaga.task': task }),
  };
}

/** Makes each attempt of an activity a span below its workflow's. */
export const activityTracing =
  (tracer: Pick<Tracer, 'span'>): ActivityInterceptorsFactory =>
  ({ info }: Context) => ({
    inbound: {
      execute(input, next) {
        const header = input.headers[traceHeader];
        const parent =
          header && traceOf(defaultPayloadConverter.fromPayload<Partial<TraceCarrier>>(header).traceparent);
        if (!parent) return next(input);
        const { workflowId = '', runId: temporalRunId = '' } = info.workflowExecution ?? {};
        const attributes = {
          ...{ temporalWorkflowId: workflowId, temporalRunId, temporalActivityId: info.activityId },
          attempt: info.attempt,
          ...runAndTask(workflowId),
        };
        return tracer.span({ name: `RunActivity:${info.activityType}`, parent, attributes }, () => next(input));
      },
    },
  });

/** Makes each request to a platform a span below the activity that sends it. The path, but no query and no body: nothing secret. */
export const tracedFetch =
  (fetch: Fetch, tracer: Pick<Tracer, 'span'>): Fetch =>
  (url, init) => {
    const parent = currentTrace();
    if (!parent) return fetch(url, init);
    const { hostname, pathname } = new URL(url);
    const attributes = { 'http.request.method': init.method, 'server.address': hostname, 'url.path': pathname };
    return tracer.span({ name: init.method, kind: 'client', parent, attributes }, async (span) => {
      const response = await fetch(url, init);
      span.note({ 'http.response.status_code': response.status });
      return response;
    });
  };
