import type { CallOptions, Job, LeptonClient, PlatformEvent } from './types';
import { latestEvent } from './endpoint-state';

/** A job's state, reduced to what matters to a waiting task. */
export type JobState =
  | { readonly kind: 'completed' }
  | { readonly kind: 'pending' }
  /** Stopping or being deleted: it may still write, and its outcome is not known. */
  | { readonly kind: 'ending'; readonly name: string }
  | { readonly kind: 'failed'; readonly name: string }
  | { readonly kind: 'absent' };

/** `Succeeded` and `Cancelled` are not in the SDK, but NeMo's launcher expects them. */
const completedStates = new Set(['completed', 'succeeded']);
const endingStates = new Set(['stopping', 'terminating', 'deleting']);
const failedStates = new Set(['failed', 'stopped', 'deleted', 'cancelled']);

/** Returns the state in lower case, since platforms spell states differently. Pure. */
export const stateOf = (job: Job | undefined): string => (job?.status?.state ?? '').toLowerCase();

/** Whether the job's container runs. Pure. */
export const isRunning = (job: Job): boolean => stateOf(job) === 'running';

/** Reads a job's state. The counters of an archived job (`succeeded`, `failed`) tell how it ended. Unknown states are pending. Pure. */
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

/** Describes a job's state in one line, e.g. `Queueing: no capacity`; by `events` if the status gives no reason. Pure. */
export function describeJob(job: Job | undefined, events: readonly PlatformEvent[] = []): string {
  if (!job) return 'not on the platform';
  const state = job.status?.state || 'no state yet';
  const why = job.status?.message || latestEvent(events, state);
  return why === '' ? state : `${state}: ${why}`;
}

/** Reads the events of a job that is not running and whose status gives no reason; empty if they cannot be read. */
export async function waitingEvents(client: LeptonClient, job: Job, options: CallOptions): Promise<PlatformEvent[]> {
  if (isRunning(job) || job.status?.message) return [];
  return client.jobEvents(job.metadata.id ?? '', options).catch(() => []);
}

/**
 * Returns why a job failed: its status, else its newest warning, as of a job that was killed for its memory and whose log just
 * stops. Empty if neither does. Pure.
 */
export function reasonOfFailure(job: Job | undefined, events: readonly PlatformEvent[]): string {
  const said = job?.status?.message ?? '';
  if (said !== '') return said;
  return latestEvent(
    events.filter(({ type }) => type.toLowerCase() === 'warning'),
    job?.status?.state ?? '',
  );
}
