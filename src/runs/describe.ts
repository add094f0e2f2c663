import { type Client, WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { runWorkflowId } from '../contract/identity';
import { failureTypes } from '../contract/failure-types';
import { runStatus } from '../contract/messages';
import { outcomeOf } from '../contract/verdict';
import { startingRun, type RunSnapshot, type TaskError } from '../contract/state';
import type { HomePaths } from '../home/paths';
import { storedPlan } from '../home/run-store';
import { recordedSnapshot } from '../results/scores/recorded';
import { planInHistory } from './run-input';
import { answerWithinMs, workerWithinMs } from '../temporal/deadlines';
import { isOutage, isUnanswered } from '../temporal/grpc';
import { readResultsInfo, type ResultsInfo } from './results-info';
import { RunNotFound } from './run-errors';
import { stallsOf } from './stalled';
import { withFinalTasks, withTasksAsKnown } from './task-snapshots';
import { executionStatus } from './execution-status';
import { withChangesAfterEnd, readChangesAfterEnd, withOmittedParts, type ChangesAfterEnd } from './changes-after-end';

export interface RunDescription {
  readonly status: 'running' | 'succeeded' | 'failed' | 'cancelled';
  /** A cancel was asked for; while `status` is running, teardown is under way. */
  readonly cancelRequested: boolean;
  readonly snapshot: RunSnapshot;
  /** Why the run as a whole ended badly; `null` when only its tasks have something to say. */
  readonly failure: TaskError | null;
  readonly taskQueue: string;
  /** Temporal's id of this execution. */
  readonly runId?: string;
  /** No worker told the state of the open run: `snapshot` is what Temporal itself knows of its tasks. */
  readonly isUnanswered: boolean;
  /** What came after the run's end, and is in `snapshot` already; absent: nothing did, as far as this host knows. */
  readonly changesAfterEnd?: ChangesAfterEnd;
  /** What qualifies its numbers; not in each look at an open run. */
  readonly resultsInfo?: ResultsInfo;
}

/** One look at a run, open or closed. Throws `RunNotFound`. */
export const describeRun = (client: Client, invocation: string, home: HomePaths): Promise<RunDescription> =>
  look(client, { invocation, home, heard: undefined, isLast: true });

interface Look {
  readonly invocation: string;
  readonly home: HomePaths;
  /** What the run told last: more than what Temporal knows of it while it is open. */
  readonly heard: RunSnapshot | undefined;
  /** No other look follows: what a history leaves out is read from the files at home, also while the run is open. */
  readonly isLast: boolean;
}

async function look(client: Client, { invocation, home, heard, isLast }: Look): Promise<RunDescription> {
  const handle = client.workflow.getHandle(runWorkflowId(invocation));
  const description = await handle.describe().catch((error: unknown) => {
    if (error instanceof WorkflowNotFoundError)
      throw new RunNotFound(`Temporal knows no run ${invocation}; list runs with: evalsaga ls`);
    throw error;
  });
  const closing = description.status.name === 'RUNNING' ? undefined : await closingOf(client, invocation);
  const { snapshot: known, isUnanswered } = closing?.snapshot
    ? { snapshot: closing.snapshot, isUnanswered: false }
    : await currentSnapshot(client, {
        invocation,
        home,
        startedAt: description.startTime,
        heard: closing ? undefined : heard,
      });
  // A run that left no last words (it was terminated, or broke down) has its tasks tell what came of them.
  const isSilent = closing !== undefined && closing.snapshot === undefined && closing.failure !== null;
  const told = isSilent ? await withFinalTasks(client, known) : known;
  const last = closing || isLast ? await withOmittedParts(told, home) : told;
  const since = closing && (await readChangesAfterEnd(last, home));
  const snapshot = since ? withChangesAfterEnd(last, since) : last;
  const cancelRequested = description.raw.workflowExtendedInfo?.cancelRequested ?? false;
  const failure = closing?.failure ?? null;
  return {
    status: statusOf(description.status.name, {
      last: snapshot,
      failure: failure?.type,
      cancelRequested,
      isCleared: isCleared(last, snapshot),
    }),
    cancelRequested,
    snapshot,
    failure: saysMore(failure, isCleared(last, snapshot)) ? failure : null,
    taskQueue: description.taskQueue,
    runId: description.runId,
    isUnanswered: isUnanswered && closing === undefined,
    ...(since ? { changesAfterEnd: since } : {}),
    ...(closing || isLast ? { resultsInfo: await readResultsInfo(client, last, home) } : {}),
  };
}

/** A description whenever it changed, and a last one when the run has closed. Ends early, quietly, when aborted. */
export async function* watchRun(
  client: Client,
  invocation: string,
  home: HomePaths,
  options: { readonly intervalMs: number; readonly signal: AbortSignal },
): AsyncGenerator<RunDescription> {
  let last = '';
  let heard: RunSnapshot | undefined;
  while (!options.signal.aborted) {
    const description = await look(client, { invocation, home, heard, isLast: false });
    if (!description.isUnanswered) heard = description.snapshot;
    const current = JSON.stringify(description);
    if (current !== last) yield description;
    if (description.status !== 'running') return;
    last = current;
    await sleep(options.intervalMs, undefined, { signal: options.signal }).catch(() => undefined);
  }
}

interface Ended {
  readonly last: RunSnapshot;
  readonly failure: string | undefined;
  readonly cancelRequested: boolean;
  readonly isCleared: boolean;
}

/** Of a run that left something behind: failed, until a cleanup or a sweep has removed it. Then its tasks' outcome counts. `execution`: Temporal's word. Pure. */
export function statusOf(execution: string, ended: Ended): RunDescription['status'] {
  const { last, failure, cancelRequested, isCleared } = ended;
  switch (executionStatus(execution)) {
    case 'running':
      return 'running';
    case 'cancelled':
      return 'cancelled';
    // Of an older build: failed tasks did not fail their run.
    case 'completed':
      return outcomeOf(last.tasks, { cancelled: false });
    case 'failed':
      if (failure !== failureTypes.teardownIncomplete || !isCleared) return 'failed';
      return last.outcome ?? outcomeOf(last.tasks, { cancelled: cancelRequested });
    case 'terminated':
      return 'failed';
  }
}

/** What was left behind is gone. */
const isCleared = (before: RunSnapshot, now: RunSnapshot): boolean => before.left.length > 0 && now.left.length === 0;

/** Whether a failure is more than the sum of what the tasks say, and still true. */
function saysMore(failure: TaskError | null, isCleared: boolean): boolean {
  if (failure?.type === failureTypes.tasksFailed) return false;
  return failure?.type !== failureTypes.teardownIncomplete || !isCleared;
}

/** Failure type of a run that Temporal ended without asking it. */
export const terminated = 'Terminated';

interface Closing {
  readonly snapshot: RunSnapshot | undefined;
  readonly failure: TaskError | null;
}

/** What a closed run's own result says: no worker is needed for it. */
async function closingOf(client: Client, invocation: string): Promise<Closing> {
  try {
    const run = client.workflow.getHandle(runWorkflowId(invocation));
    const snapshot = (await client.withDeadline(Date.now() + answerWithinMs, () => run.result())) as RunSnapshot;
    return { snapshot, failure: null };
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    const { cause } = error;
    if (cause instanceof ApplicationFailure) {
      return {
        snapshot: cause.details?.[0] as RunSnapshot | undefined,
        failure: { type: cause.type ?? 'Error', message: cause.message },
      };
    }
    if (cause?.name === 'CancelledFailure') return { snapshot: undefined, failure: null };
    const message = `the run was terminated, so it could not tear down itself; its tasks do. See what is left with: evalsaga cleanup ${invocation}`;
    return { snapshot: undefined, failure: { type: terminated, message } };
  }
}

interface Current {
  readonly snapshot: RunSnapshot;
  readonly isUnanswered: boolean;
}

/** Asks the run itself; without a worker that answers, what this host has recorded of it, or Temporal knows. */
async function currentSnapshot(
  client: Client,
  run: Omit<Look, 'isLast'> & { readonly startedAt: Date },
): Promise<Current> {
  const { invocation, home, heard } = run;
  const plan = await storedPlan(home, invocation);
  const recorded = plan && (await recordedSnapshot(plan, home));
  if (recorded) return { snapshot: recorded, isUnanswered: false };
  const deadline = Date.now() + workerWithinMs + perTaskMs * (plan?.tasks.length ?? 0);
  try {
    const snapshot = await client.withDeadline(deadline, () =>
      client.workflow.getHandle(runWorkflowId(invocation)).query(runStatus),
    );
    return { snapshot, isUnanswered: false };
  } catch (error) {
    const isLate = Date.now() >= deadline - 100;
    if (isOutage(error) && !isLate && !isUnanswered(error)) throw error;
    if (heard) return { snapshot: heard, isUnanswered: true };
    const started = plan ?? (await planInHistory(client, invocation));
    if (started)
      return { snapshot: await unheard(client, startingRun(started, run.startedAt.toISOString())), isUnanswered: true };
    throw new RunNotFound(`Temporal knows no run ${invocation} any more; list runs with: evalsaga ls`);
  }
}

/** Milliseconds more that a worker may take for each task: a thousand of them have been seen to take 4.5 s on a busy machine. */
const perTaskMs = 10;

/** Milliseconds for the question to tasks: one that can't be carried on either lets it wait. */
const tasksWithinMs = 2 * workerWithinMs;

/** Without a worker nobody answers. A worker that can't carry on the run itself may well know of its tasks. */
async function unheard(client: Client, begun: RunSnapshot): Promise<RunSnapshot> {
  const isStalled = (await stallsOf(client, begun.invocation, [])).length > 0;
  const known = await withTasksAsKnown(client, begun, isStalled ? tasksWithinMs : 0);
  return known.tasks.every(({ phase }) => phase === 'pending') ? known : { ...known, phase: 'evaluating' };
}
