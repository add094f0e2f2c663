import { type Interceptor, Metadata, status } from '@grpc/grpc-js';
import { defaultGrpcRetryOptions, makeGrpcRetryInterceptor } from '@temporalio/client';

/** No call to Temporal waits for ever: a server that has accepted it may be stopped, or behind a wire that is cut. */

/** Milliseconds that a call may take, its repetitions included, where its caller has not said otherwise. */
export const answerWithinMs = 10_000;

/** Milliseconds that a worker may take to tell the state of a run or task. */
export const workerWithinMs = 4_000;

/** These wait at the server, for news or for a worker: it answers by itself after some 20 s. */
const waiting = /\/(GetWorkflowExecutionHistory|PollWorkflowExecutionUpdate|UpdateWorkflowExecution)$/;
const newsWithinMs = 40_000;
/** Carries a whole plan, which takes its time on a slow line; who sends it asks again by himself. */
const large = /\/StartWorkflowExecution$/;

/** What the SDK repeats (connections refused or cut) is over in half of the time: then the cause is told, not the deadline. */
const attempts = 7;

/**
 * For `Connection.connect`: a deadline for each call that has none, around the SDK's own repetitions. An answer that alone
 * is lost does not use it up: after half of it the call is made again, which the SDK's request ids make safe.
 */
export function boundedCalls(withinMs = answerWithinMs): Interceptor[] {
  return [
    (options, nextCall) => {
      const { path } = options.method_definition;
      const limitMs = waiting.test(path) ? Math.max(withinMs, newsWithinMs) : withinMs;
      const deadline = Number(options.deadline ?? Date.now() + limitMs);
      const attemptMs = waiting.test(path) || large.test(path) ? limitMs : withinMs / 2;
      let isFirst = true;
      const attempt: typeof nextCall = (each) => {
        const bounded = { ...each, deadline: Math.min(deadline, Date.now() + attemptMs) };
        if (!isFirst) return orEnded(() => nextCall(bounded));
        isFirst = false;
        return nextCall(bounded);
      };
      return repeatedUntil(deadline)(options, attempt);
    },
  ];
}

type Call = ReturnType<Parameters<Interceptor>[1]>;

/**
 * A repetition comes from a timer, where gRPC's "channel has been shut down" would end the whole process: a connection that was
 * closed meanwhile ends the call instead.
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

/** Repeats what is worth it, unless the pause before would outlast the deadline: then the cause is told, and at once. */
function repeatedUntil(deadline: number): Interceptor {
  const { delayFunction, retryableDecider } = defaultGrpcRetryOptions({ maxAttempts: attempts });
  return makeGrpcRetryInterceptor({
    delayFunction,
    retryableDecider: (attempt, reply) => {
      const isWorthIt =
        retryableDecider(attempt, reply) || (reply.code === status.DEADLINE_EXCEEDED && attempt < attempts);
      return isWorthIt && Date.now() + delayFunction(attempt, reply) < deadline;
    },
  });
}
