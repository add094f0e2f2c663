import { metricPayload, metricsOf, type Metric } from '../../contract/metric';
import type { TaskSnapshot } from '../../contract/state';

/** A task as `run.json` has it: its metrics flat, as in payloads, and one by one. */
export interface TaskRecord extends Omit<TaskSnapshot, 'metricDetails'> {
  /** Absent in records of older versions. */
  readonly scores?: readonly Metric[];
}

export function taskRecord({ metricDetails, ...task }: TaskSnapshot): TaskRecord {
  const { metrics } = task;
  return { ...task, scores: metricsOf({ metrics, ...(metricDetails ? { metricDetails } : {}) }) };
}

/** Returns the snapshot that the record was made of. */
export const recordedTask = ({ scores, ...task }: TaskRecord): TaskSnapshot =>
  scores ? { ...task, ...metricPayload(scores) } : task;
