/**
 * What the local platform runs things with. The HTTP side keeps specs and names; a runtime brings them to life and says
 * what became of them. A runtime persists what it needs to pick its work up again after a restart of the platform.
 */
import type { LogMark } from './logs/log-marks';

export interface RuntimeDeployment {
  readonly name: string;
  /** The deployment spec exactly as it was posted, secrets resolved by `resolveEnv`. */
  readonly spec: DeploymentSpecBody;
}

/** A posted deployment spec, as far as a runtime reads it. */
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

/** A posted job spec, as far as a runtime reads it. */
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

/** Something worth an event of its own, once: what was done in place of what was asked for, or how it came to its end. */
export interface RuntimeNote {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

/** How the processes of a replica ended. */
export interface Termination {
  /** As a shell tells it: 128 + signal for one that a signal ended. */
  readonly exitCode: number;
  readonly reason: 'OOMKilled' | 'Error';
  /** Milliseconds since the epoch. */
  readonly finishedAt: number;
}

/** A deployment's state as a runtime sees it. `url` is set as soon as it is known; it is only served when `Ready`. */
export interface DeploymentObservation {
  readonly state: 'Starting' | 'Ready' | 'Not Ready' | 'Stopping' | 'Stopped' | 'Error' | (string & {});
  readonly url: string | undefined;
  readonly readyReplicas: number;
  /** Why: shown in status, readiness and events. */
  readonly message: string | undefined;
  readonly notes?: readonly RuntimeNote[] | undefined;
  /** Of the last replica, when it ended by itself. */
  readonly termination?: Termination | undefined;
}

export interface JobObservation {
  readonly state: 'Queueing' | 'Starting' | 'Running' | 'Completed' | 'Failed' | 'Stopping' | 'Stopped' | (string & {});
  readonly message: string | undefined;
  /** Milliseconds since the epoch. */
  readonly completedAt: number | undefined;
  readonly notes?: readonly RuntimeNote[] | undefined;
}

/** What a runtime may ask of the platform around it. */
export interface RuntimeHost {
  /** Folder of the runtime's own, kept over restarts. */
  readonly stateFolder: string;
  /** The folder on this machine that stands for `path` in volume `from` (`node-nfs:name`, `node-local`, …); created when missing. */
  mountFolder(mount: Pick<SpecMount, 'from' | 'path'>): Promise<string>;
  /** A stored secret's or token's value, or `undefined`. */
  secret(name: string): string | undefined;
  log(message: string, fields?: Record<string, unknown>): void;
}

/** A log so far, then, with `follow`, as it grows until the end. No piece ends within a UTF-8 character. */
export interface LogOptions {
  readonly follow: boolean;
  readonly signal: AbortSignal;
  /** Bytes at the beginning that are passed over. Default 0. */
  readonly from?: number | undefined;
}

export interface Runtime {
  readonly kind: 'process' | 'docker' | 'simulated';
  /** How CPU and memory are limited here, in words; `undefined` where nothing runs. Known once it has started. */
  limits(): string | undefined;
  /** Picks up what ran before a restart. Called once, before any request is answered. */
  start(existing: { deployments: readonly RuntimeDeployment[]; jobs: readonly RuntimeJob[] }): Promise<void>;
  /** Lets go of everything in this process without stopping what runs (the platform process ends, the work goes on). */
  detach(): Promise<void>;

  /** Begins to bring the deployment up; returns at once. Failures show in its observation. */
  createDeployment(deployment: RuntimeDeployment): void;
  observeDeployment(name: string): DeploymentObservation;
  /** Ends it with all its processes; resolves when nothing of it runs any more. */
  deleteDeployment(name: string): Promise<void>;
  /** `min_replicas` went to 0 (stop) or came back (start), or a restart was asked for. */
  scaleDeployment(name: string, minReplicas: number): void;
  restartDeployment(name: string): void;
  /** Log of the one replica. */
  deploymentLog(name: string, options: LogOptions): AsyncIterable<Uint8Array>;

  /** When the deployment's log grew, up to now. */
  deploymentLogMarks(name: string): Promise<readonly LogMark[]>;

  /** Milliseconds since the epoch of the last request it answered, 0 for none yet; `undefined`: that can't be told. */
  lastRequestAt(name: string): Promise<number | undefined>;

  createJob(job: RuntimeJob): void;
  observeJob(id: string): JobObservation;
  /** SIGTERM, then SIGKILL after a grace period, to the whole process group. Resolves when it is over. */
  stopJob(id: string): Promise<void>;
  deleteJob(id: string): Promise<void>;
  /** What is written after the job's end is not part of it. */
  jobLog(id: string, options: LogOptions): AsyncIterable<Uint8Array>;
  /** When the job's log grew, up to now. */
  jobLogMarks(id: string): Promise<readonly LogMark[]>;
}

export interface RuntimeJob {
  /** The platform's id (`<name>-<suffix>`). */
  readonly id: string;
  readonly name: string;
  readonly spec: JobSpecBody;
}
