import type { WorkflowClientInterceptor } from '@temporalio/client';
import { defaultPayloadConverter, type Headers } from '@temporalio/common';
import { carrierOf, traceHeader } from '../contract/trace-context';
import { currentTrace } from '../tracing/current';

/** Gives the current trace, if there is one, to a workflow that a client starts. */
export const traceHeaders: WorkflowClientInterceptor = {
  startWithDetails: (input, next) => next({ ...input, headers: withTrace(input.headers) }),
};

function withTrace(headers: Headers): Headers {
  const trace = currentTrace();
  return trace ? { ...headers, [traceHeader]: defaultPayloadConverter.toPayload(carrierOf(trace)) } : headers;
}
