import { CancellationScope } from '@temporalio/workflow';
import type { TaskInput } from '../contract/inputs/task';
import { masked } from '../contract/url-placeholders';
import { poll } from './activity-groups';
import { ownEndpointOf } from './own-endpoint';
import { ownerOf } from './task-owner';
import { awaitJob, awaitReady, createEndpoint, resultsToCheck, submitJob, type TaskEvaluation } from './task-steps';

/** Seconds by which the watch over a waiting job outlasts the wait for its endpoint, which has a deadline of its own. */
const spareSeconds = 600;

/** Whether the task's job starts while its endpoint loads. */
export const startsEarly = ({ run, task }: TaskInput): boolean =>
  run.startJobsEarly === true && run.endpoint.kind === 'dedicated' && task.uses === undefined;

/**
 * Creates the endpoint, submits the job as soon as the endpoint has a URL, and waits for both. The job waits inside for the endpoint to be
 * Ready, from when on its time limit counts. A failure of either ends the task, and teardown the other.
 */
export async function evaluateEarly(evaluation: TaskEvaluation): Promise<void> {
  const { input, progress, teardown } = evaluation;
  const { endpoint } = input.run;
  if (endpoint.kind !== 'dedicated') return;
  await createEndpoint(evaluation, endpoint);
  progress.update({ phase: 'awaiting ready' });
  const { first, job } = await readyOrEnded(evaluation);
  if (first === 'ready') {
    await progress.ready({ phase: 'ready', endpointUrl: masked(job.modelUrl), message: null });
    progress.update({ phase: 'running job' });
    await awaitJob(evaluation, job);
  }
  teardown.jobEnded();
}

interface EarlyJob {
  readonly id: string;
  readonly modelUrl: string;
}

/** `ended`: the job has completed before the endpoint was seen to be Ready. */
async function readyOrEnded(
  evaluation: TaskEvaluation,
): Promise<{ readonly first: 'ready' | 'ended'; readonly job: EarlyJob }> {
  const steps = new CancellationScope();
  const watch = new CancellationScope();
  const ready = steps.run(() => awaitReady(evaluation));
  const submitted = steps.run(() => submitEarly(evaluation));
  const ended = submitted.then((job) => watch.run(() => watchWaiting(evaluation.input, job)));
  const all = [ready, submitted, ended];
  for (const each of all) each.catch(() => undefined);
  try {
    const first = await Promise.race([ready.then(() => 'ready' as const), ended.then(() => 'ended' as const)]);
    // An endpoint that is Ready at once must not take its job with it while that is being submitted.
    return { first, job: await submitted };
  } finally {
    watch.cancel();
    steps.cancel();
    await Promise.allSettled(all);
  }
}

async function submitEarly(evaluation: TaskEvaluation): Promise<EarlyJob> {
  const { input, progress } = evaluation;
  const name = ownEndpointOf(input.task);
  // Until the deadline of the wait for Ready, which ends this one too.
  const seconds = input.run.limits.endpointReadySeconds;
  const { url } = await poll(`URL of endpoint ${name}`, seconds).awaitEndpointUrl({ ...ownerOf(input), name });
  const modelUrl = `${url}${input.task.endpointPath}`;
  const id = await submitJob(evaluation, modelUrl, { isEarly: true });
  progress.update({ message: 'the job has started, and waits for its endpoint' });
  return { id, modelUrl };
}

/** Rejects when the job fails while it waits. */
async function watchWaiting(input: TaskInput, { id }: EarlyJob): Promise<void> {
  const { jobName: name } = input.task;
  const seconds = input.run.limits.endpointReadySeconds + spareSeconds;
  const job = { ...ownerOf(input), name, id, isEarly: true as const, ...resultsToCheck(input) };
  await poll(`watch job ${name}, which waits for its endpoint`, seconds).awaitJobCompleted(job);
}
