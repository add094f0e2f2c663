import { isCancellation, patched } from '@temporalio/workflow';
import { failureTypes } from '../contract/failure-types';
import type { RunHeader } from '../contract/inputs/run';
import type { TaskInput } from '../contract/inputs/task';
import { ownerIn } from '../contract/owner';
import type { EarlierTask, TaskPlan } from '../contract/plan';
import { resultsPlaceOf } from '../contract/results-place';
import { pendingTask, type TaskSnapshot } from '../contract/state';
import { longRunning, withFreshBudgets } from './activity-groups';
import { describeError } from './failures';
import { ownerOf } from './task-owner';
import { now } from './task-progress';
import { scoresOf } from './teardown-report';

/** Seconds for the results of one task. */
const takeOverSeconds = 3_600;
/** Seconds for caches, without which the job only asks more. */
const restoreSeconds = 300;

/** Returns the earlier task if this one is not run, because it has succeeded. */
export const takenOver = ({ earlier }: TaskPlan): EarlierTask | undefined =>
  earlier?.use === 'results' ? earlier : undefined;

/** Takes the results of an earlier task over; returns how that ended. Rejects only when it is cancelled. */
export async function takeOver(run: RunHeader, task: TaskPlan, from: EarlierTask): Promise<TaskSnapshot> {
  const { invocation, index } = from;
  const target = `${resultsPlaceOf(run)}/${task.folder}`;
  const begun = { ...pendingTask(task), endpoint: null, startedAt: now(), takenFrom: { invocation, index } };
  try {
    const summary = `take over task ${index} of run ${invocation}`;
    const input = { ...ownerIn(run, task.index), from, target };
    const results = await patiently(takeOverSeconds, (seconds) => longRunning(summary, seconds).takeOverResults(input));
    const message = [`Taken over from task ${index} of run ${invocation}.`, ...results.notes].join(' ');
    const scores = scoresOf(results);
    return { ...begun, phase: 'done', outcome: 'succeeded', endedAt: now(), outputDir: target, message, ...scores };
  } catch (error) {
    if (isCancellation(error)) throw error;
    const { message } = describeError(error);
    const why = `its results could not be taken over from run ${invocation}: ${message}`;
    const failure = { type: failureTypes.resultsUnusable, message: why };
    return { ...begun, phase: 'done', outcome: 'failed', endedAt: now(), error: failure };
  }
}

/** Puts what the evaluator had cached in an earlier run into the task's storage, as far as it is to be had; returns a note. */
export async function restoreCaches(input: TaskInput): Promise<string | null> {
  const { run, task } = input;
  const { earlier, folder } = task;
  if (earlier?.use !== 'caches') return null;
  const of = `run ${earlier.invocation}`;
  try {
    const summary = `put back what was cached in ${of}`;
    const caches = { ...ownerOf(input), from: earlier, storage: run.storage, folder };
    const files = await patiently(restoreSeconds, (seconds) => longRunning(summary, seconds).restoreCaches(caches));
    return files === 0 ? null : `The evaluator went on from what it had cached in ${of}.`;
  } catch (error) {
    if (isCancellation(error)) throw error;
    // It may have been given up halfway.
    return `All or part of what the evaluator had cached in ${of} could not be put back (${describeError(error).message}): it asked that again.`;
  }
}

/** 2026-11-29: the machine that has the files may be asleep, and nothing that costs money waits for it. */
const patiently = <T>(budget: number, run: (seconds: number) => Promise<T>): Promise<T> =>
  withFreshBudgets(budget, run, () => patched('fresh-budget-for-earlier-tasks'));
