import type { Client } from '@temporalio/client';
import type { RunPlan } from '../contract/plan';
import type { RunSnapshot } from '../contract/state';
import { outcomeOf } from '../contract/verdict';
import type { HomePaths } from '../home/paths';
import { readablePlan } from '../home/run-store';
import { findRecord, snapshotIn } from '../results/scores/recorded';
import type { RunRecord } from '../results/scores/run-record';
import { readChangesAfterEnd, withChangesAfterEnd, withOmittedParts } from './changes-after-end';
import { readResultsInfo } from './results-info';
import type { RunDescription } from './run-description';
import { RunNotFound } from './run-errors';

/**
 * Runs that Temporal has forgotten: it keeps a closed run only as long as its namespace's retention says. Their plan and their record,
 * which is written when a run ends, may still be on this host. To be asked only once Temporal has answered that it doesn't know the run.
 */

/** A run of this host that has ended by itself. */
export interface RecordedRun {
  readonly plan: RunPlan;
  readonly record: RunRecord;
}

/** Returns what this host has of a run that has ended; `undefined`: no plan, or no record of its end. */
export async function findRecordedRun(home: HomePaths, invocation: string): Promise<RecordedRun | undefined> {
  const plan = await readablePlan(home, invocation);
  if (plan === undefined) return undefined;
  const found = await findRecord(plan, home);
  const isIts = found.kind === 'found' && found.record.invocation === invocation;
  return isIts ? { plan, record: found.record } : undefined;
}

/** Describes a run that Temporal doesn't know by what this host has of it. Throws `RunNotFound`. */
export async function recordedRun(client: Client, invocation: string, home: HomePaths): Promise<RunDescription> {
  const run = await findRecordedRun(home, invocation);
  if (run === undefined) throw await unknownRun(invocation, home);
  const { plan, record } = run;
  const last = await withOmittedParts(snapshotIn(plan, record), home);
  const since = await readChangesAfterEnd(last, home);
  const snapshot = since ? withChangesAfterEnd(last, since) : last;
  return {
    status: statusIn(record, { last, snapshot }),
    cancelRequested: record.outcome === 'cancelled',
    snapshot,
    // The errors of its tasks are in the record, that of the run as a whole is not.
    failure: null,
    taskQueue: '',
    isUnanswered: false,
    isRecorded: true,
    ...(since ? { changesAfterEnd: since } : {}),
    resultsInfo: await readResultsInfo(client, last, { home, isClosed: true }),
  };
}

/** As of a run that Temporal knows: what was left behind fails it until it has been removed. */
function statusIn(
  { outcome }: Pick<RunRecord, 'outcome'>,
  { last, snapshot }: { readonly last: RunSnapshot; readonly snapshot: RunSnapshot },
): RunDescription['status'] {
  if (outcome !== 'teardown incomplete') return outcome;
  if (!isCleared(last, snapshot)) return 'failed';
  return outcomeOf(snapshot.tasks, { cancelled: snapshot.tasks.some((task) => task.outcome === 'cancelled') });
}

/** Whether everything that was left behind has been removed. Pure. */
export const isCleared = (before: RunSnapshot, now: RunSnapshot): boolean =>
  before.left.length > 0 && now.left.length === 0;

async function unknownRun(invocation: string, home: HomePaths): Promise<RunNotFound> {
  const plan = await readablePlan(home, invocation);
  const inStore =
    plan?.resultsStore === undefined
      ? ''
      : `. If it has ended, its results store may have its record: evalsaga fetch ${invocation}`;
  return new RunNotFound(`Temporal knows no run ${invocation}; list runs with: evalsaga ls${inStore}`);
}
