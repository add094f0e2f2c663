import type { Job } from '../lepton/types';

export type JobState =
  | { readonly kind: 'completed' }
  | { readonly kind: 'pending' }
  | { readonly kind: 'failed'; readonly name: string }
  | { readonly kind: 'absent' };

/** `Succeeded` and `Cancelled` are not in the SDK's enum, but its launcher expects them. */
const completedStates = new Set(['Completed', 'Succeeded']);
const failedStates = new Set(['Failed', 'Stopped', 'Deleted', 'Deleting', 'Terminating', 'Cancelled']);

/**
 * A job's state, folded to what a waiting task does about it. An archived job tells by its counters how it ended
 * (`succeeded`, `failed`); unknown states wait. Pure.
 */
export function readJobState(job: Job | undefined): JobState {
  if (!job) return { kind: 'absent' };
  const state = job.status?.state ?? '';
  if (completedStates.has(state)) return { kind: 'completed' };
  if (failedStates.has(state)) return { kind: 'failed', name: state };
  if (state === 'Archived') {
    return Number(job.status?.['succeeded'] ?? 0) > 0 ? { kind: 'completed' } : { kind: 'failed', name: state };
  }
  return { kind: 'pending' };
}

/** One line: `Queueing: no capacity`. Pure. */
export function describeJob(job: Job | undefined): string {
  if (!job) return 'not on the platform';
  const { status } = job;
  return `${status?.state ?? 'no state yet'}${status?.message ? `: ${status.message}` : ''}`;
}
