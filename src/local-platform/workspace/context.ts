import type { LogArchive } from '../logs/log-archive';
import type { Runtime, SpecMount } from '../runtime';
import type { PlatformState } from '../state/records';

/** What the parts of a workspace share. */
export interface WorkspaceContext {
  readonly state: PlatformState;
  readonly runtime: Runtime;
  readonly archivedLogs: LogArchive;
  /** Milliseconds since the epoch. */
  now(): number;
  log(message: string, fields?: Record<string, unknown>): void;
  /** Aborted when the platform closes. */
  readonly closing: AbortSignal;
  /** Work that no request waits for: its failure is logged, and closing waits for it. */
  background(work: Promise<unknown>): void;
  /** A resource with these mounts has ended: folders that only the mounts made, and that are empty, go too. */
  releaseMounts(mounts: readonly SpecMount[]): Promise<void>;
}
