import type { ExecutionStatus } from './execution-status';

/** A run as lists show it. */
export interface RunSummary {
  readonly invocation: string;
  readonly status: ExecutionStatus;
  readonly model: string;
  /** Who started it; `null`: not known, or hidden by encryption. */
  readonly owner: string | null;
  /** What people call it; `null` if it has no name. */
  readonly name: string | null;
  /** Each as `key=value`. */
  readonly tags: readonly string[];
  /** See `Verdict`; `null` while it runs, or if the cluster has no search attributes. */
  readonly outcome: string | null;
  /** `waiting` while an open run waits for endpoints that others have. Absent: it is closed, or the cluster has no search attributes. */
  readonly phase?: string;
  readonly startedAt: Date;
  readonly closedAt: Date | null;
  readonly taskQueue: string;
  /** The run that it goes on from; absent: none. */
  readonly retryOf?: string;
}
