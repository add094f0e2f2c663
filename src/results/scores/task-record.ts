import { z } from 'zod';
import { metricPayload, metricsOf, type Metric } from '../../contract/metric';
import type { TaskSnapshot } from '../../contract/state';
import { taskSummarySchema, type TaskSummary } from '../summary/task-summary';
import { metricSchema } from './metric-schema';

/** A task as `run.json` has it: its metrics flat, as in payloads, and one by one. */
export interface TaskRecord extends Omit<TaskSnapshot, 'metricDetails' | 'progress'> {
  /** Absent in records of older versions. */
  readonly scores?: readonly Metric[];
  /** What its result folder says besides; absent: it has none, or could not be read in time, or an older version wrote this. */
  readonly summary?: TaskSummary;
  /** Of the evaluation job. Absent: not known, or an older version wrote this. */
  readonly image?: string;
}

/** A task that has ended has no progress. */
export function taskRecord(
  { metricDetails, progress: _, ...task }: TaskSnapshot,
  { summary, image }: Pick<TaskRecord, 'summary' | 'image'> = {},
): TaskRecord {
  const { metrics } = task;
  return {
    ...task,
    scores: metricsOf({ metrics, ...(metricDetails ? { metricDetails } : {}) }),
    ...(summary ? { summary } : {}),
    ...(image === undefined ? {} : { image }),
  };
}

const scoresSchema = z.array(metricSchema);

/** Returns the snapshot that the record was made of. Scores of another form are ignored: the flat metrics remain. */
export function recordedTask({ scores, summary: _, image: _image, ...task }: TaskRecord): TaskSnapshot {
  const parsed = scoresSchema.safeParse(scores);
  return parsed.success ? { ...task, ...metricPayload(parsed.data) } : task;
}

/** Returns the summary of a recorded task. One of another form is ignored: its files can be read again. */
export const recordedSummary = ({ summary }: TaskRecord): TaskSummary | undefined =>
  taskSummarySchema.safeParse(summary).data;
