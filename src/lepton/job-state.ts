import type { CallOptions, Job, LeptonClient, PlatformEvent } from './types';
import { latestEvent } from './endpoint-state';

export type JobState =
  | { readonly kind: 'completed' }
  | { readonly kind: 'pending' }
  /** On its way out: it may still write, and its outcome is not known. */
  | { readonly kind: 'ending'; readonly name: string }
  | { readonly kind: 'failed'; readonly name: string }
  | { readonly kind: 'absent' };

/** `Succeeded` and `Cancelled` are not in the SDK's enum, but its launcher expects them. */
const completedStates = new Set(['completed', 'succeeded']);
const endingStates = new Set(['stopping', 'terminating', 'deleting']);
const failedStates = new Set(['failed', 'stopped', 'deleted', 'cancelled']);

/** In small letters: platforms differ in how they write their states. Pure. */
export const stateOf = (job: Job | undefined): string => (job?.status?.state ?? '').toLowerCase();

/**
 * A job's state, folded to what a waiting task does about it. An archived job tells by its counters how it ended
 * (`succeeded`, `failed`); unknown states wait. Pure.
 */
export function readJobState(job: Job | undefined): JobState {
  if (!job) return { kind: 'absent' };
  const state = stateOf(job);
  const name = job.status?.state ?? '';
  if (completedStates.has(state)) return { kind: 'completed' };
  if (endingStates.has(state)) return { kind: 'ending', name };
  if (failedStates.has(state)) return { kind: 'failed', name };
  if (state === 'archived') {
    return Number(job.status?.['succeeded'] ?? 0) > 0 ? { kind: 'completed' } : { kind: 'failed', name };
  }
  return { kind: 'pending' };
}

/** One line: `Queueing: no capacity`. `events`: what the platform noted, for a state that does not say why. Pure. */
export function describeJob(job: Job | undefined, events: readonly PlatformEvent[] = []): string {
  if (!job) return 'not on the platform';
  const state = job.status?.state || 'no state yet';
  const why = job.status?.message || latestEvent(events, state);
  return why === '' ? state : `${state}: ${why}`;
}

/** The job's history, where its state raises the question why it does not run; empty when it can't be had. */
export async function waitingEvents(client: LeptonClient, job: Job, options: CallOptions): Promise<PlatformEvent[]> {
  if (stateOf(job) === 'running' || job.status?.message) return [];
  return client.jobEvents(job.metadata.id ?? '', options).catch(() => []);
}
