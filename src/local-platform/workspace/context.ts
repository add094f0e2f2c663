import type { LogArchive } from '../logs/log-archive';
import type { Runtime, SpecMount } from '../runtime';
import type { PlatformState } from '../state/records';

/** Flags that change what the workspace does. */
export interface WorkspaceFlags {
  /** An endpoint that is created without tokens gets a generated one. */
  secureEndpoints: boolean;
}

/** What the parts of a workspace share. */
export interface WorkspaceContext {
  readonly state: PlatformState;
  readonly runtime: Runtime;
  readonly archivedLogs: LogArchive;
  /** Flags of the workspace, which can change at any time. */
  readonly flags: WorkspaceFlags;
  /** Milliseconds since the epoch. */
  now(): number;
  log(message: string, fields?: Record<string, unknown>): void;
  /** Aborted when the platform closes. */
  readonly closing: AbortSignal;
  /** Registers work that no request waits for: its failure is logged, and closing waits for it. */
  background(work: Promise<unknown>): void;
  /** Removes empty folders that were created only for these mounts. Called when their resource has ended. */
  releaseMounts(mounts: readonly SpecMount[]): Promise<void>;
}
