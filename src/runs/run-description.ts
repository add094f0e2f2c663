import type { RunSnapshot, TaskError } from '../contract/state';
import type { ChangesAfterEnd } from './changes-after-end';
import type { ResultsInfo } from './results-info';

/** A run as commands and programs see it. */
export interface RunDescription {
  readonly status: 'running' | 'succeeded' | 'failed' | 'cancelled';
  /** A cancel was requested; while `status` is running, teardown is under way. */
  readonly cancelRequested: boolean;
  readonly snapshot: RunSnapshot;
  /** Why the run as a whole failed; `null` if its tasks' errors say it all. */
  readonly failure: TaskError | null;
  /** Empty: not known, because Temporal has forgotten the run. */
  readonly taskQueue: string;
  /** Temporal's id of this execution. */
  readonly runId?: string;
  /** No worker answered: `snapshot` is what Temporal itself knows about the open run, or the last answer. */
  readonly isUnanswered: boolean;
  /** Temporal has forgotten the run: this is what this host's plan and record of it say. */
  readonly isRecorded?: true;
  /** What changed after the run's end; already merged into `snapshot`. Absent: nothing, as far as this host knows. */
  readonly changesAfterEnd?: ChangesAfterEnd;
  /** Absent in intermediate descriptions of an open run. */
  readonly resultsInfo?: ResultsInfo;
}
