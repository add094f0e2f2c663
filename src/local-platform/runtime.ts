/**
 * The interface between the local platform's HTTP API, which stores specs, and the runtime that runs them and reports
 * their state. A runtime persists what it needs to resume its work after a restart of the platform.
 */
import type { LogSegment } from './logs/log-segments';

export interface RuntimeDeployment {
  readonly name: string;
  /** The deployment spec exactly as posted; secrets are still references. */
  readonly spec: DeploymentSpecBody;
}

/** The part of a posted deployment spec that runtimes read. */
export interface DeploymentSpecBody {
  readonly container?: {
    readonly image?: string;
    readonly command?: readonly string[];
    readonly ports?: readonly { readonly container_port: number }[];
  };
  readonly resource_requirement?: {
    readonly min_replicas?: number;
    readonly cpu?: number;
    readonly memory?: number;
    readonly resource_shape?: string;
  };
  readonly envs?: readonly SpecEnv[];
  readonly api_tokens?: readonly {
    readonly value?: string;
    readonly value_from?: { readonly token_name_ref?: string };
  }[];
  readonly mounts?: readonly SpecMount[];
  readonly [key: string]: unknown;
}

/** The part of a posted job spec that runtimes read. */
export interface JobSpecBody {
  readonly container?: { readonly image?: string; readonly command?: readonly string[] };
  readonly resource_shape?: string;
  readonly envs?: readonly SpecEnv[];
  readonly mounts?: readonly SpecMount[];
  readonly [key: string]: unknown;
}

export interface SpecEnv {
  readonly name: string;
  readonly value?: string;
  readonly value_from?: { readonly secret_name_ref?: string };
}

export interface SpecMount {
  readonly path: string;
  readonly from: string;
  readonly mount_path: string;
}

/** Reported once, as an event: how the resource differs from what its spec asks for, or how it ended. */
export interface RuntimeNote {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

/** How the processes of a replica ended. */
export interface Termination {
  /** As a shell reports it: 128 + the signal's number for a process that a signal ended. */
  readonly exitCode: number;
  readonly reason: 'OOMKilled' | 'Error';
  /** Milliseconds since the epoch. */
  readonly finishedAt: number;
}

/** A deployment's state as a runtime sees it. `url` is set as soon as it is known, but answers only when `Ready`. */
export interface DeploymentObservation {
  readonly state: 'Starting' | 'Ready' | 'Not Ready' | 'Stopping' | 'Stopped' | 'Error' | (string & {});
  readonly url: string | undefined;
  readonly readyReplicas: number;
  /** The reason for the state; shown in status, readiness and events. */
  readonly message: string | undefined;
  readonly notes?: readonly RuntimeNote[] | undefined;
  /** How the last replica ended, if it ended by itself. */
  readonly termination?: Termination | undefined;
}

export interface JobObservation {
  readonly state: 'Queueing' | 'Starting' | 'Running' | 'Completed' | 'Failed' | 'Stopping' | 'Stopped' | (string & {});
  readonly message: string | undefined;
  /** Milliseconds since the epoch. */
  readonly completedAt: number | undefined;
  readonly notes?: readonly RuntimeNote[] | undefined;
}

/** What the platform offers to its runtime. */
export interface RuntimeHost {
  /** The runtime's own folder, kept over restarts. */
  readonly stateFolder: string;
  /**
   * Returns this machine's folder for `path` in volume `from` (`node-nfs:name`, `node-local`, …), created if missing.
   */
  mountFolder(mount: Pick<SpecMount, 'from' | 'path'>): Promise<string>;
  /** Returns the value of a stored secret or token; `undefined` if there is none of that name. */
  secret(name: string): string | undefined;
  log(message: string, fields?: Record<string, unknown>): void;
}

/**
 * A log is read up to its present end or, with `follow`, until it is complete. No chunk ends within a UTF-8
 * character.
 */
export interface LogOptions {
  readonly follow: boolean;
  readonly signal: AbortSignal;
  /** Bytes to skip at the beginning. Default 0. */
  readonly from?: number | undefined;
}

export interface Runtime {
  readonly kind: 'process' | 'docker' | 'simulated';
  /** Describes how CPU and memory are limited; `undefined` if nothing really runs. Call it after `start`. */
  limits(): string | undefined;
  /** Resumes what ran before a restart. Called once, before any request is answered. */
  start(existing: { deployments: readonly RuntimeDeployment[]; jobs: readonly RuntimeJob[] }): Promise<void>;
  /** Stops following deployments and jobs without ending them: the platform process ends, the work continues. */
  detach(): Promise<void>;

  /** Begins to start the deployment and returns at once. Failures show in its observation. */
  createDeployment(deployment: RuntimeDeployment): void;
  observeDeployment(name: string): DeploymentObservation;
  /** Ends the deployment; resolves when none of its processes runs any more. */
  deleteDeployment(name: string): Promise<void>;
  /** Stops the deployment for 0 replicas, and starts a stopped one otherwise. */
  scaleDeployment(name: string, minReplicas: number): void;
  restartDeployment(name: string): void;
  /** Reads the log of the only replica. */
  deploymentLog(name: string, options: LogOptions): AsyncIterable<Uint8Array>;
  deploymentLogSegments(name: string): Promise<readonly LogSegment[]>;

  /**
   * Returns the time of the deployment's last request in milliseconds since the epoch: 0 for none, `undefined` if that
   * is unknown.
   */
  lastRequestAt(name: string): Promise<number | undefined>;

  createJob(job: RuntimeJob): void;
  observeJob(id: string): JobObservation;
  /** Sends SIGTERM, then SIGKILL after a grace period, to all processes. Resolves when the job is over. */
  stopJob(id: string): Promise<void>;
  deleteJob(id: string): Promise<void>;
  /** Ends running jobs from outside, as the platform itself would; resolves to their number. Only where jobs are simulated. */
  endJobs?(name: string, by: string): Promise<number>;
  /** Reads the job's log, without what is written after the job's end. */
  jobLog(id: string, options: LogOptions): AsyncIterable<Uint8Array>;
  jobLogSegments(id: string): Promise<readonly LogSegment[]>;
}

export interface RuntimeJob {
  /** The platform's id (`<name>-<suffix>`). */
  readonly id: string;
  readonly name: string;
  readonly spec: JobSpecBody;
}
