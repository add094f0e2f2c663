import { numberAt, withoutNulls, type JsonObject } from '../json';
import type { JobView } from '../workspace/jobs';

/** Jobs on the wire. Pure. */
export function jobOf({ record, status }: JobView): JsonObject {
  const { state } = status;
  // Workers are not told apart here: all of them are in the state of the job.
  const workers = numberAt(record.spec, 'completions') ?? 1;
  const count = (yes: boolean): number => (yes ? workers : 0);
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
      ready: count(state === 'Running'),
      active: count(state === 'Running' || state === 'Starting' || state === 'Queueing' || state === 'Stopping'),
      failed: count(state === 'Failed'),
      succeeded: count(state === 'Completed'),
      creation_time: record.createdAt,
      completion_time: status.completedAt,
      message: status.message,
    }),
  };
}
