import { ApplicationFailure, CancelledFailure, patched } from '@temporalio/workflow';
import { failureTypes } from '../contract/failure-types';
import type { RunHeader, TaskImages } from '../contract/inputs/run';
import type { SentSnapshot } from '../contract/sent-snapshot';
import type { RunSnapshot, TaskSnapshot } from '../contract/state';
import type { Verdict } from '../contract/verdict';
import { ensure, withFreshBudgets } from './activity-groups';
import { describeError } from './failures';
import { cut, jsonBytes, leftText } from './fitting';
import { whyInterrupted, type Interruption } from './guards';

/** How a run ended, and why. */
export interface RunEnd {
  readonly invocation: string;
  readonly verdict: Verdict;
  /** The full snapshot. */
  readonly whole: RunSnapshot;
  /** The snapshot that fits into history. */
  readonly snapshot: SentSnapshot;
  readonly interruption: Interruption | undefined;
  /** An error of the run itself, rather than of a task; `undefined`: none. */
  readonly fault: unknown;
}

/** Closes the run: returns the snapshot if every task succeeded, else throws the failure or cancellation that says why not. */
export function closeRun(end: RunEnd): SentSnapshot {
  const { invocation, verdict, whole, snapshot } = end;
  switch (verdict) {
    case 'succeeded':
      return snapshot;
    case 'cancelled':
      throw new CancelledFailure('the run was cancelled and left nothing behind');
    case 'teardown incomplete': {
      const advice = `Finish with: evalsaga cleanup ${invocation}`;
      throw failed(failureTypes.teardownIncomplete, `left behind: ${leftText(whole.left)}. ${advice}`, snapshot);
    }
    case 'failed':
      return failRun(end);
  }
}

function failRun({ whole, snapshot, interruption, fault }: RunEnd): SentSnapshot {
  const { tasks } = whole;
  const reason = interruption && whyInterrupted(interruption, tasks);
  if (reason) throw failed(reason.type, reason.message, snapshot);
  if (fault !== undefined) {
    const { type, message } = describeError(fault);
    throw failed(type, message, snapshot);
  }
  // 2026-11-28: until then such runs completed.
  if (patched('failed-tasks-fail-the-run')) throw failed(failureTypes.tasksFailed, failedText(tasks), snapshot);
  return snapshot;
}

/** Failure message listing the tasks that did not succeed: the first ten, with their errors shortened. */
function failedText(tasks: readonly TaskSnapshot[]): string {
  const bad = tasks.filter(({ outcome }) => outcome !== 'succeeded');
  const shown = bad
    .slice(0, 10)
    .map(
      ({ index, name, outcome, error }) => `${index} ${name}: ${cut(error?.message ?? outcome ?? 'no outcome', 300)}`,
    );
  const more = bad.length > shown.length ? `; and ${bad.length - shown.length} more` : '';
  return `${bad.length} of ${tasks.length} tasks did not succeed: ${shown.join('; ')}${more}`;
}

function failed(type: string, message: string, snapshot: SentSnapshot): ApplicationFailure {
  return ApplicationFailure.create({ type, message, details: [snapshot], nonRetryable: true });
}

/** Largest snapshot that is also passed to the activity that writes run.json, bytes of JSON. */
const mostRepeatedBytes = 20_000;

/** Returns a snapshot to pass to an activity; of a large one nothing: the activity asks the run. Pure. */
export const repeated = (snapshot: SentSnapshot): { readonly snapshot?: SentSnapshot } =>
  jsonBytes(snapshot) <= mostRepeatedBytes ? { snapshot } : {};

/** Has run.json written. Never rejects: results are already fetched, and history holds the verdict. */
export async function recordRun(
  header: RunHeader,
  { snapshot, verdict, images }: Pick<RunEnd, 'snapshot' | 'verdict'> & { readonly images: TaskImages },
): Promise<void> {
  try {
    await withFreshBudgets(120, (seconds) =>
      ensure('write run.json', seconds).recordRun({
        run: withoutEndpoint(header),
        ...repeated(snapshot),
        outcome: verdict,
        images,
      }),
    );
  } catch {
    // The record is informational.
  }
}

/** Drops the endpoint, the largest part of a plan, which the record doesn't need. */
export function withoutEndpoint(header: RunHeader): Omit<RunHeader, 'endpoint'> {
  return Object.fromEntries(Object.entries(header).filter(([key]) => key !== 'endpoint')) as unknown as RunHeader;
}
