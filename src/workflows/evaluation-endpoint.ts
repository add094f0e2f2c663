import {
  CancellationScope,
  CancelledFailure,
  condition,
  patched,
  setHandler,
  setWorkflowOptions,
} from '@temporalio/workflow';
import type { EndpointInput, TaskInput } from '../contract/inputs/task';
import { releaseEndpoint } from '../contract/messages';
import type { TaskSnapshot } from '../contract/state';
import { masked } from '../contract/url-placeholders';
import { guardedBy } from './deadline';
import { watchEndpoint } from './endpoint-watch';
import { closeTask } from './evaluation-task';
import { judge, type Verdict } from './failures';
import { endpointUnit } from './shared-unit';
import { now, TaskProgress } from './task-progress';
import { bringUpEndpoint } from './task-steps';
import { TaskTeardown } from './task-teardown';

/** Of an endpoint that its run released before it was Ready. */
const calledOff: Verdict = { outcome: 'cancelled', error: null };
const unneeded = 'Removed before it was Ready: no task needed it any more.';

/** Backstop on the watch, seconds: the run releases the endpoint when the last task that uses it has ended. */
const longestUseSeconds = 30 * 24 * 3600;

/**
 * Workflow of a shared endpoint: creates it, waits until it is Ready, watches it until the run releases it, and removes it however
 * that ends. Returns the snapshot if it served until the run released it, or was released before it was Ready; else fails as a task does.
 */
export async function evaluationEndpoint(input: EndpointInput): Promise<TaskSnapshot> {
  const unit = endpointUnit(input);
  const progress = new TaskProgress(unit);
  const teardown = new TaskTeardown(unit, (what) => progress.end(what));
  const isReleased = releasedByRun();
  const root = CancellationScope.current();

  let verdict: Verdict;
  try {
    const url = await unlessReleased(() => bringUpEndpoint({ input: unit, progress, teardown }), isReleased);
    if (url === undefined) verdict = calledOff;
    else {
      await progress.ready({ phase: 'ready', endpointUrl: masked(url), message: null });
      await serve(unit, isReleased);
      verdict = { outcome: 'succeeded', error: null };
    }
  } catch (error) {
    verdict = judge(error, { cancelled: root.consideredCancelled });
  }

  return CancellationScope.nonCancellable(async () => {
    progress.update({ phase: 'tearing down', ...verdict });
    const { left, notes } = await teardown.run();
    const texts = verdict === calledOff ? [unneeded, ...notes] : notes;
    await progress.finish({ phase: 'done', endedAt: now(), left, message: texts.join(' ') || null });
    // Its run did not cancel it, and must not take it for cancelled by somebody.
    return verdict === calledOff && left.length === 0 ? progress.snapshot : closeTask(progress.snapshot);
  });
}
setWorkflowOptions({ failureExceptionTypes: [Error] }, evaluationEndpoint);

/** Settles as `work` does; resolves to `undefined` if the run releases the endpoint before, once `work` has been cancelled. */
async function unlessReleased<T>(work: () => Promise<T>, isReleased: () => boolean): Promise<T | undefined> {
  // 2026-11-29
  const isCalledOff = (): boolean => isReleased() && patched('released-while-loading');
  if (isCalledOff()) return undefined;
  let wasCalledOff = false;
  const release = async (): Promise<never> => {
    await condition(isCalledOff);
    wasCalledOff = true;
    throw new CancelledFailure(unneeded);
  };
  try {
    return await guardedBy(work, release);
  } catch (error) {
    if (wasCalledOff) return undefined;
    throw error;
  }
}

async function serve(unit: TaskInput, isReleased: () => boolean): Promise<void> {
  if (unit.task.endpointName === null) return condition(isReleased);
  await guardedBy(
    () => condition(isReleased),
    () => watchEndpoint(unit, { seconds: longestUseSeconds, during: 'while tasks used it' }),
  );
}

function releasedByRun(): () => boolean {
  let released = false;
  setHandler(releaseEndpoint, () => {
    released = true;
  });
  return () => released;
}
