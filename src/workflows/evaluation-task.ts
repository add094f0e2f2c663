import { ApplicationFailure, CancellationScope, CancelledFailure, setWorkflowOptions } from '@temporalio/workflow';
import { failureTypes } from '../contract/failure-types';
import type { TaskInput } from '../contract/inputs/task';
import { sharedModelOf } from '../contract/parts';
import { resultsPlaceOf } from '../contract/results-place';
import { masked } from '../contract/url-placeholders';
import type { TaskSnapshot } from '../contract/state';
import { evaluateEarly, startsEarly } from './early-job';
import { awaitOpen } from './endpoint-watch';
import { judge, type Verdict } from './failures';
import { leftText } from './fitting';
import { now, TaskProgress } from './task-progress';
import { SharedLinks } from './shared-links';
import { restoreEarlier, withFurtherJobs } from './job-attempts';
import { bringUpEndpoint, runJob, type TaskEvaluation } from './task-steps';
import { teardownReport } from './teardown-report';
import { TaskTeardown, type TeardownOutcome } from './task-teardown';

/**
 * Workflow of one task: creates its endpoint, runs its job, fetches the results, and removes everything it created however it
 * ends. Returns the snapshot if the task succeeded; else fails with `TaskFailed` or `TeardownIncomplete`, with the snapshot in the details.
 */
export async function evaluationTask(input: TaskInput): Promise<TaskSnapshot> {
  const progress = new TaskProgress(input);
  const teardown = new TaskTeardown(input, (what, at) => progress.end(what, at));
  const links = new SharedLinks(input.task);
  const root = CancellationScope.current();

  let verdict: Verdict;
  try {
    await links.guard(() => evaluate({ input, progress, teardown, links }));
    verdict = { outcome: 'succeeded', error: null };
  } catch (error) {
    verdict = judge(error, { cancelled: root.consideredCancelled });
  }

  return CancellationScope.nonCancellable(async () => {
    progress.update({ phase: verdict.outcome === 'succeeded' ? 'fetching results' : 'tearing down', ...verdict });
    const teardownOutcome = await teardown.run({ hasSucceeded: verdict.outcome === 'succeeded' });
    await progress.finish({
      phase: 'done',
      endedAt: now(),
      ...settle(input, progress.snapshot, verdict, teardownOutcome),
    });
    return closeTask(progress.snapshot);
  });
}
setWorkflowOptions({ failureExceptionTypes: [Error] }, evaluationTask);

async function evaluate(evaluation: TaskEvaluation): Promise<void> {
  const { input, progress, links } = evaluation;
  await restoreEarlier(evaluation);
  if (startsEarly(input)) return withFurtherJobs(evaluation, () => evaluateEarly(evaluation));
  if (sharedModelOf(input.task)) {
    progress.update({ phase: 'awaiting ready', message: 'waits for its shared endpoint' });
    await awaitOpen(input, links.open);
    progress.update({ phase: 'ready', endpointUrl: masked(links.modelUrl), message: null });
    return withFurtherJobs(evaluation, () => runJob(evaluation, links.modelUrl));
  }
  const modelUrl = await bringUpEndpoint(evaluation);
  await progress.ready({ phase: 'ready', endpointUrl: masked(modelUrl), message: null });
  await awaitOpen(input, links.open);
  await withFurtherJobs(evaluation, () => runJob(evaluation, modelUrl));
}

/** Merges the outcome of teardown into the final snapshot. A job that completed without results makes the task fail. */
function settle(
  input: TaskInput,
  snapshot: TaskSnapshot,
  verdict: Verdict,
  teardown: TeardownOutcome,
): Partial<TaskSnapshot> {
  const { results } = teardown;
  const outputDir = snapshot.job === null ? null : `${resultsPlaceOf(input.run)}/${input.task.folder}`;
  const job = snapshot.job ?? input.task.jobName;
  const common = { outputDir, ...teardownReport(teardown) };
  if (verdict.outcome !== 'succeeded') return common;
  if (teardown.error) return { ...common, outcome: 'failed', error: teardown.error };
  if (results?.interrupted) {
    const why = `job ${job} was interrupted before it had evaluated everything (preempted, or stopped from outside)${results.metrics ? '; its scores are those of the samples until then' : ''}. Run the task again`;
    return { ...common, outcome: 'failed', error: { type: failureTypes.jobInterrupted, message: why } };
  }
  if (results?.found === 'absent') {
    const folder = `${input.run.storage.path}/${input.task.folder}`;
    const why = `job ${job} completed, but its folder ${folder} is not in storage: something removed it, or the job wrote elsewhere; its log is in logs/job.log of ${outputDir ?? 'no folder'}`;
    return { ...common, outcome: 'failed', error: { type: failureTypes.resultsMissing, message: why } };
  }
  if (!results?.metrics) {
    const where = `what it wrote is in ${outputDir ?? 'no folder'}, its log in logs/job.log there`;
    const what = results?.incomplete ? `its results.yml is not home: ${results.incomplete}` : 'wrote no results.yml';
    const why = `job ${job} completed but ${what}; ${where}`;
    return { ...common, outcome: 'failed', error: { type: failureTypes.resultsMissing, message: why } };
  }
  return common;
}

/** Returns the final snapshot if the task succeeded; else throws what its outcome demands. */
export function closeTask(snapshot: TaskSnapshot): TaskSnapshot {
  if (snapshot.left.length > 0) {
    throw ApplicationFailure.create({
      type: failureTypes.teardownIncomplete,
      message: `left behind: ${leftText(snapshot.left)}`,
      details: [snapshot],
      nonRetryable: true,
    });
  }
  switch (snapshot.outcome) {
    case 'succeeded':
      return snapshot;
    case 'cancelled':
      throw new CancelledFailure(`task ${snapshot.index} was cancelled and left nothing behind`);
    case 'failed':
    case null:
      throw ApplicationFailure.create({
        type: failureTypes.taskFailed,
        message: snapshot.error?.message ?? 'failed',
        details: [snapshot],
        nonRetryable: true,
      });
  }
}
