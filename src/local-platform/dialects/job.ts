import { numberAt, withoutNulls, type JsonObject } from '../json';
import type { JobView } from '../workspace/jobs';

/** Returns the JSON of a job. Pure. */
export function jobOf({ record, status }: JobView): JsonObject {
  const { state } = status;
  // A job runs as one process group here: all its workers share its state.
  const workers = numberAt(record.spec, 'completions') ?? 1;
  const countIf = (applies: boolean): number => (applies ? workers : 0);
  return {
    metadata: {
      ...record.metadata,
      id: record.id,
      name: record.name,
      created_at: record.createdAt,
      version: record.version,
    },
    spec: record.spec,
    status: withoutNulls({
      job_name: record.id,
      state,
      ready: countIf(state === 'Running'),
      active: countIf(state === 'Running' || state === 'Starting' || state === 'Queueing' || state === 'Stopping'),
      failed: countIf(state === 'Failed'),
      succeeded: countIf(state === 'Completed'),
      creation_time: record.createdAt,
      completion_time: status.completedAt,
      message: status.message,
    }),
  };
}
