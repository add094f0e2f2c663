/** The platform's objects, as far as evalsaga reads them. Unknown keys pass through; unknown states are kept as text. */
import type { ServerClock } from './server-clock';

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
        /** `Ready`, `Not Ready`, `Starting`, `Updating`, `Scaling`, `Stopping`, `Stopped`, `Deleting`, `Error`, or an unknown one. */
        readonly state: string;
        readonly phase?: string | undefined;
        readonly endpoint?: { readonly external_endpoint?: string | null | undefined } | undefined;
        readonly ready_replicas?: number | undefined;
        /** The reason of the state. Not in the SDK's types, but set by the local platform, and perhaps by the service. */
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
        /** `Queueing`, `Starting`, `Running`, `Completed`, `Failed`, `Stopped`, …, or an unknown one. */
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

/** An event in a resource's history. */
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
  /** Absolute path in the file system. */
  readonly path: string;
}

export interface NodeGroup {
  readonly id: string;
  readonly name: string;
  /** Volumes that its nodes can mount; empty if the workspace does not say. */
  readonly volumes: readonly Volume[];
}

/** `from` (`nfs`, `local`, …) and `name` form a mount's `from`: `node-nfs:lepton-shared-fs`. */
export interface Volume {
  readonly from: string;
  readonly name: string;
}

/** Revisions of the listings of endpoints and jobs: one differs as soon as a state in that listing does. */
export interface Revisions {
  readonly deployments: string;
  readonly jobs: string;
}

export interface ChangeCalls {
  /**
   * Resolves to new revisions once one differs from those `known`, or to the same after a while. `undefined`: the platform can't tell;
   * only evalsaga's local platform can.
   */
  nextChange(known: Revisions | undefined, options?: CallOptions): Promise<Revisions | undefined>;
}

/** A line of a log, and when it was written. */
export interface TimedLine {
  /** Nanoseconds since the epoch. */
  readonly at: bigint;
  readonly text: string;
}

/** Lines of one writer, oldest first. */
export interface LogStream {
  readonly lines: readonly TimedLine[];
  /** Size of the whole log that the lines are from, bytes; `undefined`: the platform doesn't say. */
  readonly logBytes: number | undefined;
}

export interface LogRange {
  /** The id of a job, or the name of a deployment. */
  readonly of: { readonly job: string } | { readonly deployment: string };
  /** Nanoseconds since the epoch; `from` is inclusive, `until` exclusive. */
  readonly from: bigint;
  readonly until: bigint;
  /** Maximum number of lines: the oldest of the range, or the newest with `newest`. */
  readonly limit: number;
  readonly newest?: boolean | undefined;
  /** Only lines of this replica. */
  readonly replica?: string | undefined;
  /** Only lines that contain this, as far as the server searches; default: all. */
  readonly text?: string | undefined;
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
  /** Sent as header `origin`. */
  readonly origin?: string | undefined;
  /** Where the token was found, for messages: `LEPTON_WORKSPACE_TOKEN`, `lep login (<file>)`, … */
  readonly source?: string | undefined;
}

export interface JobFilter {
  readonly name?: string;
  readonly mode?: JobQueryMode;
}

/** All calls of the platform that evalsaga makes. They reject with `LeptonError`; the treatment of 404 is stated per call. */
export interface LeptonClient extends ChangeCalls {
  readonly access: Omit<PlatformAccess, 'token'>;
  /** The platform's clock, by the dates of its answers. */
  readonly clock: Pick<ServerClock, 'now' | 'aheadMs'>;
  getWorkspace(options?: CallOptions): Promise<WorkspaceInfo>;
  listDeployments(options?: CallOptions): Promise<Deployment[]>;
  /** Resolves to `undefined` if neither a get nor the listing finds it. */
  getDeployment(name: string, options?: GetOptions): Promise<Deployment | undefined>;
  createDeployment(deployment: { name: string; spec: Record<string, unknown> }, options?: CallOptions): Promise<void>;
  /** Resolves to whether the platform had it; `false` for 404. */
  deleteDeployment(name: string, options?: CallOptions): Promise<boolean>;
  /** Returns why replicas are not ready; empty if the platform does not say, and for 404. */
  deploymentIssues(name: string, options?: CallOptions): Promise<ReadinessIssue[]>;
  deploymentEvents(name: string, options?: CallOptions): Promise<PlatformEvent[]>;
  deploymentReplicas(name: string, options?: CallOptions): Promise<Replica[]>;
  /**
   * Yields the replica's log from its beginning, as bytes. Without `follow` it ends after the log so far; but Lepton does not
   * know this option, and continues while the replica runs: abort by `signal` when no more data arrives.
   */
  deploymentLog(name: string, replica: string, options?: LogOptions): AsyncIterable<Uint8Array>;
  /** Returns all pages. `name` is the server's substring filter (`q`); the default `mode` is `alive_and_archive`. */
  listJobs(filter?: JobFilter, options?: CallOptions): Promise<Job[]>;
  /** Yields the same page by page: all jobs of a workspace take much memory. */
  jobPages(filter?: JobFilter, options?: CallOptions): AsyncIterable<readonly Job[]>;
  /**
   * Resolves to `undefined` if neither a get nor the listing finds it. With the default `mode`, `alive_and_archive`, a deleted
   * job may still be found in the archive; with `alive_only` it is not. `name`, if known, shortens the listing.
   */
  getJob(
    id: string,
    options?: GetOptions & { readonly mode?: JobQueryMode | undefined; readonly name?: string | undefined },
  ): Promise<Job | undefined>;
  /** Resolves to the job with its assigned `metadata.id`. */
  createJob(job: { name: string; spec: Record<string, unknown> }, options?: CallOptions): Promise<Job>;
  stopJob(id: string, options?: CallOptions): Promise<void>;
  /** Like `deleteDeployment`. */
  deleteJob(id: string, options?: CallOptions): Promise<boolean>;
  jobEvents(id: string, options?: CallOptions): Promise<PlatformEvent[]>;
  jobReplicas(id: string, options?: CallOptions): Promise<Replica[]>;
  /** Like `deploymentLog`. */
  jobLog(id: string, replica: string, options?: LogOptions): AsyncIterable<Uint8Array>;
  listNodeGroups(options?: CallOptions): Promise<NodeGroup[]>;
  listNodeIds(nodeGroupId: string, options?: CallOptions): Promise<string[]>;
  /** Returns the ids of the reservations of a node group. */
  listReservationIds(nodeGroupId: string, options?: CallOptions): Promise<string[]>;
  /** Returns the names of the object storages that can be attached to workloads of a node group. */
  listDataSourceNames(nodeGroupId: string, options?: CallOptions): Promise<string[]>;
  listSecretNames(options?: CallOptions): Promise<string[]>;
  /** Stores a secret of the workspace. Rejects with `conflict` if there is one of this name. */
  createSecret(secret: { readonly name: string; readonly value: string }, options?: CallOptions): Promise<void>;
  /** Resolves for 404 as well, unless the listing contradicts it. */
  deleteSecret(name: string, options?: CallOptions): Promise<void>;
  /**
   * Returns the token of the endpoint whose secret has this name: the same in every process with these credentials, and a random
   * one to anybody else.
   */
  madeToken(secretName: string): string;
  /** Returns the resource shapes of the workspace, or of these node groups; empty if it cannot list them. */
  listShapeNames(options?: CallOptions & { readonly nodeGroups?: readonly string[] | undefined }): Promise<string[]>;
  /** Returns lines of a log by time, oldest first (`GET /logs`); `undefined` if the platform has no such route. */
  logLines(range: LogRange, options?: CallOptions): Promise<TimedLine[] | undefined>;
  /** Returns the same separately for each stream, of which a replica may have several. */
  logStreams(range: LogRange, options?: CallOptions): Promise<readonly LogStream[] | undefined>;
  readonly storage: LeptonStorage;
}

export type JobQueryMode = 'alive_only' | 'archive_only' | 'alive_and_archive';

export interface LeptonStorage {
  /** Whether the workspace has a storage API. `false` only after three checks within seconds agree. */
  available(options?: CallOptions): Promise<boolean>;
  /** Returns the names of the workspace's file systems; empty if the server does not say. */
  fileSystems(options?: CallOptions): Promise<string[]>;
  /** `false` if neither the path itself (HEAD) nor its parent's listing shows it. */
  exists(fileSystem: string, path: string, options?: CallOptions): Promise<boolean>;
  /** Returns the file's size in bytes; `undefined` if the file does not exist or the server does not say. */
  size(fileSystem: string, path: string, options?: CallOptions): Promise<number | undefined>;
  /** Returns the folder's entries; `undefined` if neither a read of the folder nor its parent's listing shows it. */
  list(fileSystem: string, path: string, options?: CallOptions): Promise<StorageEntry[] | undefined>;
  /** Rejects if the content has another size than the server announced. */
  read(fileSystem: string, path: string, options?: CallOptions): AsyncIterable<Uint8Array>;
  mkdir(fileSystem: string, path: string, options?: CallOptions): Promise<void>;
  /** Writes a local file to the path, whose folder must exist. Replaces what is there. */
  write(fileSystem: string, path: string, file: string, options?: CallOptions): Promise<void>;
  /** Removes a file, or a folder and its contents. Resolves to whether the platform had it; `false` for 404. */
  remove(fileSystem: string, path: string, options?: CallOptions): Promise<boolean>;
}

export interface LogOptions extends CallOptions {
  /** Continue while the replica runs. */
  readonly follow?: boolean | undefined;
}

export interface GetOptions extends CallOptions {
  /** The caller has a listing that lacks it, read since it last may have changed: the get alone decides. Default: no. */
  readonly isUnlisted?: boolean | undefined;
}

export interface CallOptions {
  /** Aborts the request. */
  readonly signal?: AbortSignal | undefined;
  /** Timeout of a request in milliseconds; default 30,000. */
  readonly timeoutMs?: number | undefined;
}
