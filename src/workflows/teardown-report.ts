import type { FetchedResults } from '../contract/inputs/results';
import type { TaskSnapshot } from '../contract/state';
import type { TeardownOutcome } from './task-teardown';

/** Returns what a teardown adds to its task's snapshot: scores, leftovers, and notes for the user. Pure. */
export function teardownReport(
  teardown: TeardownOutcome,
): Pick<TaskSnapshot, 'left' | 'kept' | 'message'> & ReturnType<typeof scoresOf> {
  const { results, left, kept, notes } = teardown;
  const message = [...(results?.notes ?? []), ...notes].join(' ') || null;
  return { left, kept, message, ...scoresOf(results) };
}

/** Returns what a snapshot has of results. Pure. */
export function scoresOf(
  results: FetchedResults | null,
): Pick<TaskSnapshot, 'metrics' | 'metricDetails' | 'metricsTotal' | 'resultsDigest' | 'partial'> {
  return {
    metrics: results?.metrics ?? {},
    ...(results?.metricDetails ? { metricDetails: results.metricDetails } : {}),
    ...(results?.metricsTotal === undefined ? {} : { metricsTotal: results.metricsTotal }),
    ...(results?.resultsDigest === undefined ? {} : { resultsDigest: results.resultsDigest }),
    ...(results?.interrupted && results.metrics ? { partial: true } : {}),
  };
}
