import { type Interceptor, InterceptingCall } from '@grpc/grpc-js';
import { defaultGrpcRetryOptions, makeGrpcRetryInterceptor } from '@temporalio/client';

/** No call to Temporal waits for ever: a server that has accepted it may be stopped, or behind a wire that is cut. */

/** Milliseconds that a call may take, its repetitions included, where its caller has not said otherwise. */
export const answerWithinMs = 10_000;

/** These wait at the server, for news or for a worker: it answers by itself after some 20 s. */
const waiting = /\/(GetWorkflowExecutionHistory|PollWorkflowExecutionUpdate|UpdateWorkflowExecution)$/;
const newsWithinMs = 40_000;

/** What the SDK repeats (connections refused or cut) is over in half of the time: then the cause is told, not the deadline. */
const attempts = 7;

/** For `Connection.connect`: a deadline for each call that has none, around the SDK's own repetitions. */
export function boundedCalls(withinMs = answerWithinMs): Interceptor[] {
  return [deadlineOf(withinMs), makeGrpcRetryInterceptor(defaultGrpcRetryOptions({ maxAttempts: attempts }))];
}

const deadlineOf =
  (withinMs: number): Interceptor =>
  (options, nextCall) => {
    const limitMs = waiting.test(options.method_definition.path) ? Math.max(withinMs, newsWithinMs) : withinMs;
    return new InterceptingCall(nextCall({ ...options, deadline: options.deadline ?? Date.now() + limitMs }));
  };
