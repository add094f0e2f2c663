import type { ServerClock } from './server-clock';

/** The platform's wire objects, as far as evalsaga reads them. Unknown keys pass through; unknown states are kept as text. */

export interface Metadata {
  readonly id?: string | undefined;
  readonly name?: string | undefined;
  /** Milliseconds since the epoch. */
  readonly created_at?: number | undefined;
  readonly [key: string]: unknown;
}

export interface WireEnv {
  readonly name: string;
  readonly value?: string | undefined;
  readonly value_from?: { readonly secret_name_ref?: string | undefined } | undefined;
}

export interface Deployment {
  readonly metadata: Metadata;
  readonly spec: { readonly envs?: readonly WireEnv[] | undefined; readonly [key: string]: unknown };
  readonly status?:
    | {
        /** `Ready`, `Not Ready`, `Starting`, `Updating`, `Scaling`, `Stopping`, `Stopped`, `Deleting`, `Error`, or anything new. */
        readonly state: string;
        readonly phase?: string | undefined;
        readonly endpoint?: { readonly external_endpoint?: string | null | undefined } | undefined;
        readonly ready_replicas?: number | undefined;
        /** Not in the SDK's types; the local platform, and maybe the service, say here why a state was taken. */
        readonly message?: string | undefined;
        readonly [key: string]: unknown;
      }
    | undefined;
}

export interface Job {
  readonly metadata: Metadata;
  readonly spec?: { readonly envs?: readonly WireEnv[] | undefined; readonly [key: string]: unknown } | undefined;
  readonly status?:
    | {
        /** `Queueing`, `Starting`, `Running`, `Completed`, `Failed`, `Stopped`, …, or anything new. */
        readonly state?: string | undefined;
        readonly creation_time?: number | undefined;
        readonly completion_time?: number | undefined;
        readonly message?: string | undefined;
        readonly [key: string]: unknown;
      }
    | undefined;
}

export interface Replica {
  readonly id: string;
}

/** One line of a resource's history. */
export interface PlatformEvent {
  readonly type: string;
  readonly reason: string;
  readonly count: number;
  readonly last_observed_time: string;
  readonly message?: string | undefined;
}

export interface ReadinessIssue {
  readonly reason: string;
  readonly message: string;
}

export interface StorageEntry {
  readonly type: 'dir' | 'file';
  readonly name: string;
  /** Absolute in the file system. */
  readonly path: string;
}

export interface NodeGroup {
  readonly id: string;
  readonly name: string;
  /** Volumes that its nodes can mount; empty where the workspace does not say. */
  readonly volumes: readonly Volume[];
}

/** `from` (`nfs`, `local`, …) and `name` make a mount's `from`: `node-nfs:lepton-shared-fs`. */
export interface Volume {
  readonly from: string;
  readonly name: string;
}

/** One line of a log with the time it was written. */
export interface TimedLine {
  /** Nanoseconds since the epoch. */
  readonly at: bigint;
  readonly text: string;
}

export interface LogRange {
  /** The log of which job (its id) or deployment (its name). */
  readonly of: { readonly job: string } | { readonly deployment: string };
  /** Nanoseconds since the epoch: `from` is in, `until` is out. */
  readonly from: bigint;
  readonly until: bigint;
  /** At most so many lines: the oldest of the range, or, with `newest`, the newest. */
  readonly limit: number;
  readonly newest?: boolean | undefined;
  /** Of one replica only. */
  readonly replica?: string | undefined;
}

export interface WorkspaceInfo {
  readonly workspace_name: string;
  readonly workspace_state: string;
  readonly supported_shapes: Readonly<Record<string, unknown>>;
  readonly features?: { readonly enable_new_deployment_api?: boolean | undefined } | undefined;
  /** Only of evalsaga's local platform: what runs deployments and jobs there (`process`, `docker`, `simulated`). */
  readonly evalsaga_runtime?: string | undefined;
  readonly [key: string]: unknown;
}

/** How to reach a workspace. `url` ends in `/api/v2/workspaces/<id>`, without a trailing slash. */
export interface PlatformAccess {
  readonly url: string;
  readonly workspace: string;
  readonly token: string;
  /** Sent as `origin` header where the real clients send one. */
  readonly origin?: string | undefined;
  /** Where the token was found, for messages: `LEPTON_WORKSPACE_TOKEN`, `lep login (<file>)`, … */
  readonly source?: string | undefined;
}

export interface JobFilter {
  readonly name?: string;
  readonly mode?: JobQueryMode;
}

/** Every call of the platform that evalsaga makes. All reject with `LeptonError` (see errors.ts); 404 is named per call. */
export interface LeptonClient {
  readonly access: Omit<PlatformAccess, 'token'>;
  /** The platform's, as its answers tell it. */
  readonly clock: Pick<ServerClock, 'now' | 'aheadMs'>;
  getWorkspace(options?: CallOptions): Promise<WorkspaceInfo>;
  listDeployments(options?: CallOptions): Promise<Deployment[]>;
  /** `undefined` when there is none of that name: a get and the listing must both say so. */
  getDeployment(name: string, options?: GetOptions): Promise<Deployment | undefined>;
  createDeployment(deployment: { name: string; spec: Record<string, unknown> }, options?: CallOptions): Promise<void>;
  /** Resolves for 404 as well: what is absent is deleted. */
  deleteDeployment(name: string, options?: CallOptions): Promise<void>;
  /** Why the replicas are not ready; empty where the platform has nothing to say (also on 404). */
  deploymentIssues(name: string, options?: CallOptions): Promise<ReadinessIssue[]>;
  deploymentEvents(name: string, options?: CallOptions): Promise<PlatformEvent[]>;
  deploymentReplicas(name: string, options?: CallOptions): Promise<Replica[]>;
  /**
   * The replica's log from its beginning, as bytes while they arrive. Without `follow` only what there is so far; Lepton
   * knows no such wish and goes on while the replica runs: end the reading by `signal` when nothing comes any more.
   */
  deploymentLog(name: string, replica: string, options?: LogOptions): AsyncIterable<Uint8Array>;
  /** All pages. `name`: substring filter of the server (`q`); `mode` default `alive_and_archive`. */
  listJobs(filter?: JobFilter, options?: CallOptions): Promise<Job[]>;
  /** The same page by page, for who needs little of each: the jobs of a whole workspace, with all that they carry, are large. */
  jobPages(filter?: JobFilter, options?: CallOptions): AsyncIterable<readonly Job[]>;
  /**
   * `undefined` when a get and the listing both say that there is none. `mode` default `alive_and_archive`: a deleted job may still
   * be found in the archive; `alive_only` tells. `name`, where it is known, makes that listing short.
   */
  getJob(
    id: string,
    options?: GetOptions & { readonly mode?: JobQueryMode | undefined; readonly name?: string | undefined },
  ): Promise<Job | undefined>;
  /** Resolves to the job with its assigned `metadata.id`. */
  createJob(job: { name: string; spec: Record<string, unknown> }, options?: CallOptions): Promise<Job>;
  stopJob(id: string, options?: CallOptions): Promise<void>;
  /** Resolves for 404 as well. */
  deleteJob(id: string, options?: CallOptions): Promise<void>;
  jobEvents(id: string, options?: CallOptions): Promise<PlatformEvent[]>;
  jobReplicas(id: string, options?: CallOptions): Promise<Replica[]>;
  /** As `deploymentLog`. */
  jobLog(id: string, replica: string, options?: LogOptions): AsyncIterable<Uint8Array>;
  listNodeGroups(options?: CallOptions): Promise<NodeGroup[]>;
  listNodeIds(nodeGroupId: string, options?: CallOptions): Promise<string[]>;
  listSecretNames(options?: CallOptions): Promise<string[]>;
  /** Names of the resource shapes that the workspace (or these node groups) list; empty where there is no such listing. */
  listShapeNames(options?: CallOptions & { readonly nodeGroups?: readonly string[] | undefined }): Promise<string[]>;
  /** Lines of a log by time, oldest first (`GET /logs`); `undefined` where the platform keeps no times. */
  logLines(range: LogRange, options?: CallOptions): Promise<TimedLine[] | undefined>;
  readonly storage: LeptonStorage;
}

export type JobQueryMode = 'alive_only' | 'archive_only' | 'alive_and_archive';

export interface LeptonStorage {
  /**
   * Whether the workspace has a storage API at all. `false` only after three looks within seconds that all say so.
   */
  available(options?: CallOptions): Promise<boolean>;
  /** Names of the workspace's file systems; empty where the server does not say. */
  fileSystems(options?: CallOptions): Promise<string[]>;
  /** `false` when neither the path itself (HEAD) nor the listing of the folder above it knows of it. */
  exists(fileSystem: string, path: string, options?: CallOptions): Promise<boolean>;
  /** The file's size in bytes; `undefined` when there is no such file, or the server does not say. */
  size(fileSystem: string, path: string, options?: CallOptions): Promise<number | undefined>;
  /** The folder's entries; `undefined` when there is no such folder (see `exists`). */
  list(fileSystem: string, path: string, options?: CallOptions): Promise<StorageEntry[] | undefined>;
  read(fileSystem: string, path: string, options?: CallOptions): AsyncIterable<Uint8Array>;
  mkdir(fileSystem: string, path: string, options?: CallOptions): Promise<void>;
  /** Removes a file, or a folder with all in it. Resolves for 404 as well. */
  remove(fileSystem: string, path: string, options?: CallOptions): Promise<void>;
}

export interface LogOptions extends CallOptions {
  /** Go on while the replica runs. */
  readonly follow?: boolean | undefined;
}

export interface GetOptions extends CallOptions {
  /** The caller has a listing that lacks it, read since it last may have changed: the get alone decides. Default: no. */
  readonly isUnlisted?: boolean | undefined;
}

export interface CallOptions {
  /** Aborts the request. */
  readonly signal?: AbortSignal | undefined;
  /** Per request, milliseconds; default 30 000. */
  readonly timeoutMs?: number | undefined;
}
