import type { Client } from '@temporalio/client';
import type { PlatformRef } from '../contract/plan';
import type { HomePaths } from '../home/paths';
import type { StoreEnv } from '../results/store/store';
import type { ResolveHostSecret } from '../lepton/render-spec';
import type { Platform } from '../lepton/platforms';

/** Names a run whose secrets are meant. */
export interface SecretsOfRun {
  readonly invocation: string;
  /** Place of the run in its results store, where its sealed secrets lie; absent: it has none. */
  readonly secretsAt?: string | undefined;
}

/** Whose secrets must be masked: those of the platform and, if given, of a run. */
export interface SecretOwner {
  readonly invocation: string | undefined;
  readonly secretsAt?: string | undefined;
  readonly platform: PlatformRef;
}

/** What activities need from their worker; tests supply their own. */
export interface ActivityDependencies {
  /** Returns the client for a run's platform, with credentials found on this machine. */
  platform(ref: PlatformRef): Promise<Platform>;
  /** Returns a resolver for the host variables that a run's plan references. */
  hostSecrets(run: SecretsOfRun): Promise<ResolveHostSecret>;
  /** Returns the values that were sealed for a run, to mask them in its files. Rejects if they are not to be had just now. */
  sealedSecretsOf(run: SecretsOfRun): Promise<readonly string[]>;
  /** Returns the values to mask everywhere: those of the run's host variables, and the platform's token. */
  secretsOf(owner: SecretOwner): Promise<readonly string[]>;
  /** Deletes the stored values of a run's host variables, sealed ones included. */
  forgetHostSecrets(run: SecretsOfRun): Promise<void>;
  /** Deletes the stored values of ended runs that did not delete their own. */
  forgetStaleSecrets(client: Client): Promise<unknown>;
  /** Marks resources as belonging to this Temporal installation. */
  readonly origin: string;
  /** Milliseconds for which consecutive refusals are considered temporary; default: `refusalPatienceMs`. */
  readonly refusalPatienceMs?: number | undefined;
  /** Aborted when the worker is told to end; see `WorkerSettings`. */
  readonly ending?: AbortSignal | undefined;
  /** Called before each attempt; see `WorkerSettings`. */
  readonly admit?: ((signal: AbortSignal) => Promise<void>) | undefined;
  /** Folder of this host's records of runs (see HomePaths.runs). */
  readonly runsFolder: string;
  /** Folder for logs of runs that this host has no record of (see HomePaths.swept). */
  readonly sweptFolder: string;
  /** Folder of files that wait until a results store has them (see HomePaths.staging). */
  readonly stagingFolder: string;
  /** Where software is kept that an export needs. */
  readonly home: HomePaths;
  /** Returns the environment that results stores are opened with. */
  storeEnvironment(): Promise<StoreEnv>;
  /** Environment variables of the worker process. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}
