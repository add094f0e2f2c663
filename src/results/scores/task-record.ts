import { z } from 'zod';
import { metricPayload, metricsOf, type Metric } from '../../contract/metric';
import type { TaskSnapshot } from '../../contract/state';
import { metricSchema } from './metric-schema';

/** A task as `run.json` has it: its metrics flat, as in payloads, and one by one. */
export interface TaskRecord extends Omit<TaskSnapshot, 'metricDetails'> {
  /** Absent in records of older versions. */
  readonly scores?: readonly Metric[];
}

export function taskRecord({ metricDetails, ...task }: TaskSnapshot): TaskRecord {
  const { metrics } = task;
  return { ...task, scores: metricsOf({ metrics, ...(metricDetails ? { metricDetails } : {}) }) };
}

const scoresSchema = z.array(metricSchema);

/** Returns the snapshot that the record was made of. Scores of another form are ignored: the flat metrics remain. */
export function recordedTask({ scores, ...task }: TaskRecord): TaskSnapshot {
  const parsed = scoresSchema.safeParse(scores);
  return parsed.success ? { ...task, ...metricPayload(parsed.data) } : task;
}
