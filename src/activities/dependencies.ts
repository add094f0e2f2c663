import type { Client } from '@temporalio/client';
import type { PlatformRef } from '../contract/plan';
import type { ResolveHostSecret } from '../lepton/render';
import type { Platform } from '../lepton/platforms';

/** Whose secrets may not be said: those of a run, where one is concerned, and of its platform. */
export interface SecretOwner {
  readonly invocation: string | undefined;
  readonly platform: PlatformRef;
}

/** What activities need of the worker around them; tests put their own in. */
export interface ActivityDependencies {
  /** The client for a run's platform, with credentials looked up on this machine. */
  platform(ref: PlatformRef): Promise<Platform>;
  /** Values of the host variables that a run's plan references. */
  hostSecrets(invocation: string): Promise<ResolveHostSecret>;
  /** Values that must not be said anywhere: those of the run's host variables, and the platform's token. */
  secretsOf(owner: SecretOwner): Promise<readonly string[]>;
  /** Drops the stored values of a run's host variables. */
  forgetHostSecrets(invocation: string): Promise<void>;
  /** Drops those of runs that ended without doing so themselves. */
  forgetStaleSecrets(client: Client): Promise<unknown>;
  /** Marks resources as belonging to this Temporal installation. */
  readonly origin: string;
  /** Milliseconds for which refusals in a row are taken for passing; default: `refusalPatienceMs`. */
  readonly refusalPatienceMs?: number | undefined;
  /** Folder with what is known of each run on this host (see HomePaths.runs). */
  readonly runsFolder: string;
  /** Folder for logs of runs that this host knows nothing of (see HomePaths.swept). */
  readonly sweptFolder: string;
  /** Variables of the worker's process. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}
