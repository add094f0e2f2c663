import { ApplicationFailure, patched, sleep } from '@temporalio/workflow';
import { failureTypes } from '../contract/failure-types';
import { attemptsAllowed, attemptWords, type JobAttempt } from '../contract/job-attempts';
import { sharedModelOf } from '../contract/parts';
import { restoreCaches } from './earlier-tasks';
import { describeError } from './failures';
import { cut } from './fitting';
import { awaitEndpointReadyAgain, bringUpEndpoint, runJob, type Evaluation, type TaskEvaluation } from './task-steps';

/** Seconds before another job follows: doubled each time, since what ended the last one may not have passed yet. */
const firstPauseSeconds = 1;

/**
 * Runs the task's job: `first`. If it is ended from outside, for a reason that passes, another one follows, as often as the run allows: on
 * the same endpoint or, if that was lost as well, on a new one. Never two side by side: the next one is submitted only once the
 * last one is verified gone.
 */
export async function withFurtherJobs(evaluation: TaskEvaluation, first: () => Promise<void>): Promise<void> {
  const of = attemptsAllowed(evaluation.input.run.limits);
  let run = first;
  for (let number = 1; ; number += 1) {
    try {
      return await run();
    } catch (error) {
      const { type, message } = describeError(error);
      if (type !== failureTypes.jobInterrupted || number >= of) throw error;
      if (!(await evaluation.teardown.removeEndedJob(number, message))) throw error;
      await sleep(firstPauseSeconds * 2 ** (number - 1) * 1000, { summary: `before job attempt ${number + 1}` });
      const attempt = { number: number + 1, of };
      const url = await prepare(evaluation, { why: message, attempt });
      run = () => runJob(evaluation, url, attempt);
    }
  }
}

/** Puts what an earlier run's evaluator had cached into the task's storage, before anything runs that costs money. */
export async function restoreEarlier({ input, teardown }: Evaluation): Promise<void> {
  if (input.task.earlier === undefined) return;
  teardown.coverStorage();
  teardown.note(await restoreCaches(input));
}

interface Preparation {
  /** Why the last job ended. */
  readonly why: string;
  readonly attempt: JobAttempt;
}

/** Makes sure that an endpoint serves the model, and returns its URL. */
async function prepare(evaluation: TaskEvaluation, { why, attempt }: Preparation): Promise<string> {
  const { input, progress } = evaluation;
  const message = `${attemptWords(attempt)}: the last one was ended from outside: ${cut(why, 300)}`;
  const shared = sharedModelOf(input.task)?.servesModel;
  // 2026-11-29
  if (shared !== undefined && patched('further-job-on-shared-endpoint')) {
    await awaitSharedAgain(evaluation, shared);
    progress.nextAttempt(attempt, { message, isEndpointLost: false });
    return evaluation.links.modelUrl;
  }
  return prepareOwn(evaluation, { message, attempt });
}

/** The same where the endpoint is the task's own, or an existing one. */
async function prepareOwn(
  evaluation: TaskEvaluation,
  { message, attempt }: { readonly message: string; readonly attempt: JobAttempt },
): Promise<string> {
  const { input, progress, teardown } = evaluation;
  if (input.run.endpoint.kind === 'existing') {
    progress.nextAttempt(attempt, { message, isEndpointLost: false });
    return input.run.endpoint.url;
  }
  if (progress.isEndpointReleased) {
    if (!(await teardown.removeLostEndpoint()))
      throw ApplicationFailure.nonRetryable(
        `${message}. Its endpoint, released after the last request, is not gone yet, and another one can't take its name`,
        failureTypes.endpointFailed,
      );
    progress.nextAttempt(attempt, {
      message: `${message}. Its endpoint had been released after the last request`,
      isEndpointLost: true,
    });
    return bringUpEndpoint(evaluation);
  }
  try {
    const again = await awaitEndpointReadyAgain(evaluation);
    progress.nextAttempt(attempt, { message, isEndpointLost: false });
    return again;
  } catch (error) {
    const isLost = describeError(error).type === failureTypes.endpointFailed;
    if (!isLost || !(await teardown.removeLostEndpoint())) throw error;
    progress.nextAttempt(attempt, { message: `${message}. Its endpoint was lost as well`, isEndpointLost: true });
    return bringUpEndpoint(evaluation);
  }
}

/** Waits until the shared endpoint serves again. Its own workflow watches it, and removes it. */
async function awaitSharedAgain(evaluation: Evaluation, name: string): Promise<void> {
  try {
    await awaitEndpointReadyAgain(evaluation, name);
  } catch (error) {
    const { type, message } = describeError(error);
    if (type !== failureTypes.endpointFailed) throw error;
    throw ApplicationFailure.nonRetryable(
      `the shared endpoint was lost: ${message}`,
      failureTypes.sharedEndpointFailed,
    );
  }
}
