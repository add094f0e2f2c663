import { ActivityFailure, ApplicationFailure, TimeoutFailure } from '@temporalio/workflow';
import { timedOutUnretryably, timedOutWithoutAttempt } from '../../../src/workflows/failures';

/** How servers say that an activity's budget ran out while no worker could act, as seen in histories. */

const failed = (retryState: ActivityFailure['retryState'], cause: Error): ActivityFailure =>
  new ActivityFailure('Activity task timed out', 'removeEndpoint', '1', retryState, undefined, cause);
const timeout = (type: 'SCHEDULE_TO_CLOSE' | 'HEARTBEAT'): TimeoutFailure =>
  new TimeoutFailure(`activity ${type} timeout`, undefined, type);

const kindOf = (error: unknown): string => {
  if (timedOutWithoutAttempt(error)) return 'budget ran out';
  return timedOutUnretryably(error) ? 'budget ran out, as older servers say it' : 'failed';
};

test.each([
  ['Server 1.32', failed('TIMEOUT', timeout('SCHEDULE_TO_CLOSE')), 'budget ran out'],
  ['no time for another attempt', failed('TIMEOUT', timeout('HEARTBEAT')), 'budget ran out'],
  [
    'Server 1.30',
    failed('NON_RETRYABLE_FAILURE', timeout('SCHEDULE_TO_CLOSE')),
    'budget ran out, as older servers say it',
  ],
  ['a single attempt', failed('MAXIMUM_ATTEMPTS_REACHED', timeout('HEARTBEAT')), 'failed'],
  ['a worker’s refusal', failed('NON_RETRYABLE_FAILURE', ApplicationFailure.nonRetryable('refused')), 'failed'],
  ['no activity', timeout('SCHEDULE_TO_CLOSE'), 'failed'],
])('%s', (_, error, kind) => {
  expect(kindOf(error)).toBe(kind);
});
