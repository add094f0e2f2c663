import { type Interceptor, Metadata, status } from '@grpc/grpc-js';
import { defaultGrpcRetryOptions, makeGrpcRetryInterceptor } from '@temporalio/client';

/** Deadlines for all calls to Temporal: a server that has accepted a call may hang, or the network may be cut. */

/** Default deadline of a call, including its retries, in milliseconds. */
export const answerWithinMs = 10_000;

/** Milliseconds that a worker may take to answer a query for the state of a run or task. */
export const workerWithinMs = 4_000;

/** Long polls: the server holds them until something happens or a worker answers, for some 20 s. */
const longPolls = /\/(GetWorkflowExecutionHistory|PollWorkflowExecutionUpdate|UpdateWorkflowExecution)$/;
const longPollWithinMs = 40_000;
/** Carries a whole plan, which takes long on a slow line; its caller retries it. */
const large = /\/StartWorkflowExecution$/;

/** The SDK's retries (of refused or cut connections) take half of the deadline, so that the error names their cause. */
const attempts = 7;

/**
 * Returns interceptors for `Connection.connect`: a deadline for each call that has none, around the SDK's own retries. After half
 * of it without an answer the call is made again, since only the answer may be lost; the SDK's request ids make that safe.
 */
export function boundedCalls(withinMs = answerWithinMs): Interceptor[] {
  return [
    (options, nextCall) => {
      const { path } = options.method_definition;
      const limitMs = longPolls.test(path) ? Math.max(withinMs, longPollWithinMs) : withinMs;
      const deadline = Number(options.deadline ?? Date.now() + limitMs);
      const attemptMs = longPolls.test(path) || large.test(path) ? limitMs : withinMs / 2;
      let isFirst = true;
      const attempt: typeof nextCall = (each) => {
        const bounded = { ...each, deadline: Math.min(deadline, Date.now() + attemptMs) };
        if (!isFirst) return orEnded(() => nextCall(bounded));
        isFirst = false;
        return nextCall(bounded);
      };
      return retriesUntil(deadline)(options, attempt);
    },
  ];
}

type Call = ReturnType<Parameters<Interceptor>[1]>;

/**
 * Retries start from a timer, where gRPC's "channel has been shut down" would end the whole process. This ends the call instead
 * if the connection was closed meanwhile.
 */
function orEnded(call: () => Call): Call {
  try {
    return call();
  } catch (error) {
    const ended = { code: status.CANCELLED, details: (error as Error).message, metadata: new Metadata() };
    return {
      start: (_metadata, listener) => void setImmediate(() => listener?.onReceiveStatus?.(ended)),
      cancelWithStatus: () => undefined,
      getPeer: () => 'closed',
      sendMessage: () => undefined,
      sendMessageWithContext: () => undefined,
      startRead: () => undefined,
      halfClose: () => undefined,
      getAuthContext: () => null,
    };
  }
}

/** Retries unless the pause before it would outlast the deadline: then the call fails at once, with its cause. */
function retriesUntil(deadline: number): Interceptor {
  const { delayFunction, retryableDecider } = defaultGrpcRetryOptions({ maxAttempts: attempts });
  return makeGrpcRetryInterceptor({
    delayFunction,
    retryableDecider: (attempt, reply) => {
      const isRetryable =
        retryableDecider(attempt, reply) || (reply.code === status.DEADLINE_EXCEEDED && attempt < attempts);
      return isRetryable && Date.now() + delayFunction(attempt, reply) < deadline;
    },
  });
}
