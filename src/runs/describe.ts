import { type Client, WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { runWorkflowId } from '../contract/identity';
import { failureTypes } from '../contract/failure-types';
import { runStatus } from '../contract/messages';
import { outcomeOf } from '../contract/verdict';
import { wholeSnapshot, type SentSnapshot } from '../contract/sent-snapshot';
import { readRunResult } from './run-result';
import { startingRun, type RunSnapshot, type TaskError } from '../contract/state';
import type { HomePaths } from '../home/paths';
import { readablePlan } from '../home/run-store';
import { recordedSnapshot } from '../results/scores/recorded';
import { planInHistory } from './run-input';
import { answerWithinMs, workerWithinMs } from '../temporal/deadlines';
import { isOutage, isUnanswered } from '../temporal/grpc';
import { refuseAnotherServer } from '../temporal/origin';
import { readResultsInfo } from './results-info';
import { isCleared, recordedRun } from './recorded-run';
import type { RunDescription } from './run-description';
import { RunNotFound } from './run-errors';
import { stallsOf } from './stalled';
import { withFinalTasks, withTasksAsKnown } from './task-snapshots';
import { executionStatus } from './execution-status';
import { withChangesAfterEnd, readChangesAfterEnd, withOmittedParts } from './changes-after-end';

/**
 * Describes a run, open or closed; one that Temporal has forgotten by the plan and the record that this host has of it. Throws
 * `RunNotFound`.
 */
export const describeRun = (client: Client, invocation: string, home: HomePaths): Promise<RunDescription> =>
  describe(client, { invocation, home, lastKnown: undefined, isFinal: true });

interface DescribeRequest {
  readonly invocation: string;
  readonly home: HomePaths;
  /** The run's last answer, which says more than what Temporal knows about an open run. */
  readonly lastKnown: RunSnapshot | undefined;
  /** No other description follows: parts left out of the snapshot are read from local files even while the run is open. */
  readonly isFinal: boolean;
}

/** Describes a run as `describeRun`, or as one of several descriptions. */
export async function describe(
  client: Client,
  { invocation, home, lastKnown, isFinal }: DescribeRequest,
): Promise<RunDescription> {
  const handle = client.workflow.getHandle(runWorkflowId(invocation));
  const description = await handle.describe().catch(async (error: unknown) => {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
    await refuseAnotherServer({ connection: client.connection, namespace: client.options.namespace });
    return undefined;
  });
  if (description === undefined) return recordedRun(client, invocation, home);
  const closing = description.status.name === 'RUNNING' ? undefined : await closingOf(client, invocation);
  const { snapshot: known, isUnanswered } =
    closing?.snapshot && !closing.isPartial
      ? { snapshot: closing.snapshot, isUnanswered: false }
      : await currentSnapshot(client, {
          invocation,
          home,
          startedAt: description.startTime,
          lastKnown: closing ? closing.snapshot : lastKnown,
          withinMs: closing ? answerWithinMs : workerWithinMs,
        });
  // A run that closed without a snapshot (it was terminated, or broke down): only its tasks know how they ended.
  const isSilent = closing !== undefined && closing.snapshot === undefined && closing.failure !== null;
  const current = isSilent ? await withFinalTasks(client, known) : known;
  const last = closing || isFinal ? await withOmittedParts(current, home) : current;
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
    ...(closing || isFinal
      ? { resultsInfo: await readResultsInfo(client, last, { home, isClosed: closing !== undefined }) }
      : {}),
  };
}

interface Closed {
  readonly last: RunSnapshot;
  readonly failure: string | undefined;
  readonly cancelRequested: boolean;
  readonly isCleared: boolean;
}

/**
 * Returns the status of a run. One that left resources behind has failed, until a cleanup or a sweep has removed them; then
 * its tasks' outcome counts. `execution` is Temporal's status. Pure.
 */
export function statusOf(execution: string, ended: Closed): RunDescription['status'] {
  const { last, failure, cancelRequested, isCleared } = ended;
  switch (executionStatus(execution)) {
    case 'running':
      return 'running';
    case 'cancelled':
      return 'cancelled';
    // With older builds, failed tasks did not fail their run.
    case 'completed':
      return outcomeOf(last.tasks, { cancelled: false });
    case 'failed':
      if (failure !== failureTypes.teardownIncomplete || !isCleared) return 'failed';
      return last.outcome ?? outcomeOf(last.tasks, { cancelled: cancelRequested });
    case 'terminated':
      return 'failed';
  }
}

/** Whether a failure adds to what the tasks' errors say, and still holds. */
function saysMore(failure: TaskError | null, isCleared: boolean): boolean {
  if (failure?.type === failureTypes.tasksFailed) return false;
  return failure?.type !== failureTypes.teardownIncomplete || !isCleared;
}

/** Failure type of a run that Temporal ended without asking it. */
export const terminated = 'Terminated';

interface ClosedRun {
  readonly snapshot: RunSnapshot | undefined;
  /** Other sources may say more. */
  readonly isPartial?: boolean;
  readonly failure: TaskError | null;
}

/** What a closed run's result says: no worker is needed for it. */
async function closingOf(client: Client, invocation: string): Promise<ClosedRun> {
  try {
    const run = client.workflow.getHandle(runWorkflowId(invocation));
    const sent = (await client.withDeadline(Date.now() + answerWithinMs, () => run.result())) as SentSnapshot;
    return { ...(await readRunResult(client, sent)), failure: null };
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    const { cause } = error;
    if (cause instanceof ApplicationFailure) {
      const sent = cause.details?.[0] as SentSnapshot | undefined;
      const found = sent ? await readRunResult(client, sent) : { snapshot: undefined };
      return { ...found, failure: { type: cause.type ?? 'Error', message: cause.message } };
    }
    if (cause?.name === 'CancelledFailure') return { snapshot: undefined, failure: null };
    const message = `the run was terminated, so it could not tear down itself; its tasks do. To remove what is left: evalsaga cleanup ${invocation}`;
    return { snapshot: undefined, failure: { type: terminated, message } };
  }
}

interface Current {
  readonly snapshot: RunSnapshot;
  readonly isUnanswered: boolean;
}

interface CurrentRequest extends Omit<DescribeRequest, 'isFinal'> {
  readonly startedAt: Date;
  /** For a worker's answer, milliseconds. A closed run is given longer, because nobody looks again. */
  readonly withinMs: number;
}

/** Asks the run itself; if no worker answers, falls back to the last known snapshot or to what Temporal knows. */
async function currentSnapshot(client: Client, run: CurrentRequest): Promise<Current> {
  const { invocation, home, lastKnown } = run;
  const plan = await readablePlan(home, invocation);
  const recorded = plan && (await recordedSnapshot(plan, home));
  if (recorded) return { snapshot: recorded, isUnanswered: false };
  const deadline = Date.now() + run.withinMs + perTaskMs * (plan?.tasks.length ?? 0);
  try {
    const sent = await client.withDeadline(deadline, () =>
      client.workflow.getHandle(runWorkflowId(invocation)).query(runStatus),
    );
    return { snapshot: wholeSnapshot(sent), isUnanswered: false };
  } catch (error) {
    const isLate = Date.now() >= deadline - 100;
    if (isOutage(error) && !isLate && !isUnanswered(error)) throw error;
    if (lastKnown) return { snapshot: lastKnown, isUnanswered: true };
    const started = plan ?? (await planInHistory(client, invocation));
    if (started)
      return {
        snapshot: await snapshotWithoutRun(client, startingRun(started, run.startedAt.toISOString())),
        isUnanswered: true,
      };
    throw new RunNotFound(`Temporal no longer knows run ${invocation}; list runs with: evalsaga ls`);
  }
}

/** Extra milliseconds for the worker per task: a thousand tasks took 4.5 s on a busy machine. */
const perTaskMs = 10;

/** Milliseconds for queries to tasks: one that can't continue either doesn't answer. */
const tasksWithinMs = 2 * workerWithinMs;

/** Builds a snapshot from what Temporal knows. If the run's own workflow is stalled, its tasks may still answer. */
async function snapshotWithoutRun(client: Client, begun: RunSnapshot): Promise<RunSnapshot> {
  const isStalled = (await stallsOf(client, begun.invocation, [])).length > 0;
  const known = await withTasksAsKnown(client, begun, isStalled ? tasksWithinMs : 0);
  return known.tasks.every(({ phase }) => phase === 'pending') ? known : { ...known, phase: 'evaluating' };
}
