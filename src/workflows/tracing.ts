import {
  type ActivityInput,
  ApplicationFailure,
  defaultPayloadConverter,
  type Headers,
  isCancellation,
  type Next,
  proxySinks,
  type StartChildWorkflowExecutionInput,
  type WorkflowExecuteInput,
  workflowInfo,
  type WorkflowInboundCallsInterceptor,
  type WorkflowInterceptors,
  type WorkflowOutboundCallsInterceptor,
} from '@temporalio/workflow';
import {
  carrierOf,
  spanIdOfRun,
  traceHeader,
  traceOf,
  type TraceCarrier,
  type TraceContext,
  type TracingSinks,
} from '../contract/trace-context';

const { tracing } = proxySinks<TracingSinks>();

/**
 * Hands the trace of a workflow on to its activities and children, and tells the worker the workflow's own span when it closes. Does
 * nothing for a run that was started without a trace. Headers and sinks are no part of what a replay compares.
 */
class Tracing implements WorkflowInboundCallsInterceptor, WorkflowOutboundCallsInterceptor {
  private own: TraceContext | undefined;

  async execute(input: WorkflowExecuteInput, next: Next<WorkflowInboundCallsInterceptor, 'execute'>): Promise<unknown> {
    const parent = traceIn(input.headers);
    if (!parent) return next(input);
    this.own = { traceId: parent.traceId, spanId: spanIdOfRun(workflowInfo().runId) };
    const startMs = Date.now();
    try {
      const result = await next(input);
      this.tell(parent, startMs);
      return result;
    } catch (error) {
      this.tell(parent, startMs, errorTypeOf(error));
      throw error;
    }
  }

  scheduleActivity(
    input: ActivityInput,
    next: Next<WorkflowOutboundCallsInterceptor, 'scheduleActivity'>,
  ): ReturnType<typeof next> {
    return next({ ...input, headers: this.with(input.headers) });
  }

  startChildWorkflowExecution(
    input: StartChildWorkflowExecutionInput,
    next: Next<WorkflowOutboundCallsInterceptor, 'startChildWorkflowExecution'>,
  ): ReturnType<typeof next> {
    return next({ ...input, headers: this.with(input.headers) });
  }

  private with(headers: Headers): Headers {
    return this.own ? { ...headers, [traceHeader]: defaultPayloadConverter.toPayload(carrierOf(this.own)) } : headers;
  }

  private tell(parent: TraceContext, startMs: number, errorType?: string): void {
    if (!this.own) return;
    const { workflowType, workflowId, runId } = workflowInfo();
    tracing.finished({
      ...this.own,
      parentSpanId: parent.spanId,
      name: `RunWorkflow:${workflowType}`,
      kind: 'internal',
      startMs,
      endMs: Date.now(),
      attributes: { temporalWorkflowId: workflowId, temporalRunId: runId },
      errorType,
    });
  }
}

function traceIn(headers: Headers): TraceContext | undefined {
  const header = headers[traceHeader];
  return header && traceOf(defaultPayloadConverter.fromPayload<Partial<TraceCarrier>>(header).traceparent);
}

function errorTypeOf(error: unknown): string {
  if (isCancellation(error)) return 'Cancelled';
  return (error instanceof ApplicationFailure && error.type) || 'Error';
}

/** Entry point of `workflowInterceptorModules` in the workflow bundle. */
export function interceptors(): WorkflowInterceptors {
  const own = new Tracing();
  return { inbound: [own], outbound: [own] };
}
