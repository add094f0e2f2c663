import type { ExportPlan } from './export';

/**
 * The plan of a run: everything that a workflow needs, decided and validated before it starts. Plain JSON with references
 * instead of secrets, written once into workflow history.
 */

/** Where a run's endpoints and jobs live. Credentials are looked up by the worker, never carried here. */
export type PlatformRef =
  | { readonly kind: 'lepton'; readonly workspace: string; readonly url: string }
  | { readonly kind: 'local'; readonly workspace: string };

/** A value that is resolved only where it is used. `host` names a variable of the launching host; `workspace` a platform secret. */
export type SecretRef =
  { readonly kind: 'host'; readonly name: string } | { readonly kind: 'workspace'; readonly name: string };

/** One container variable: a literal, a workspace secret (`secret_name_ref`), or a variable of the launching host. */
export type EnvEntry =
  { readonly name: string; readonly value: string } | { readonly name: string; readonly secret: SecretRef };

/**
 * A token that callers of an endpoint must present. `made`: a random one of this endpoint's own, which evalsaga makes when it
 * creates the endpoint, and which the workspace keeps as a secret (see contract/endpoint-token.ts).
 */
export type TokenEntry = SecretRef | { readonly kind: 'made' };

/** A storage mount as the platform expects it: `path` in volume `from` appears at `mount_path` in the container. */
export interface MountSpec {
  readonly path: string;
  readonly from: string;
  readonly mount_path: string;
  readonly mount_options?: { readonly local_cache_size_mib?: number; readonly read_only?: boolean };
}

export interface ContainerSpec {
  readonly image: string;
  readonly command?: readonly string[];
  readonly ports?: readonly { readonly container_port: number; readonly protocol?: string }[];
}

/**
 * An endpoint as it will be created, except for its name and its secrets. `envs` and `apiTokens` hold references that the
 * create activity resolves; `body` is the rest of the platform's deployment spec, verbatim.
 */
export interface EndpointSpec {
  readonly container: ContainerSpec;
  readonly envs: readonly EnvEntry[];
  readonly apiTokens: readonly TokenEntry[];
  readonly mounts: readonly MountSpec[];
  /** Node group by name or id as the user wrote it; resolved to an id when the endpoint is created. `null`: any. */
  readonly nodeGroup: string | null;
  /** Ids of the nodes of that group to choose from; absent: any. */
  readonly allowedNodes?: readonly string[];
  readonly body: Readonly<Record<string, unknown>>;
}

/** What "Ready" requires besides the platform's state. */
export interface ProbeSpec {
  /** The name that `GET /v1/models` must list, and that the harness requests. */
  readonly servedModel: string;
  /** Health path that must answer 2xx before the models are requested, e.g. `/health`; `null`: none. */
  readonly healthPath: string | null;
  /** Kind of a small request that warms the model up, according to what the tasks use. */
  readonly warmUp: 'chat' | 'completions' | 'none';
  /** Key for the probe. `workspace` secrets can't be read by evalsaga: then a 401 counts as an answer. */
  readonly token: TokenEntry | null;
}

export type EndpointPlan =
  | { readonly kind: 'dedicated'; readonly spec: EndpointSpec; readonly probe: ProbeSpec }
  /** `deployment: none`: an endpoint of the user's, which is used but never changed. `url` is the full request URL. */
  | { readonly kind: 'existing'; readonly url: string; readonly probe: ProbeSpec };

/** An evaluation job as it will be submitted, except for its endpoint URL (variable `EVALSAGA_MODEL_URL`) and its secrets. */
export interface JobSpec {
  readonly container: ContainerSpec;
  readonly envs: readonly EnvEntry[];
  readonly mounts: readonly MountSpec[];
  readonly nodeGroup: string | null;
  /** As for endpoints. */
  readonly allowedNodes?: readonly string[];
  /** Its log tells when the model has answered its last request (contract/last-request.ts). Absent: it doesn't. */
  readonly tellsLastRequest?: true;
  /** The rest of the platform's job spec, verbatim (resource_shape, ttl_seconds_after_finished, queue_config, …). */
  readonly body: Readonly<Record<string, unknown>>;
}

/**
 * An endpoint that several tasks use, such as a judge. It is created with the run, and removed when the last task that uses it has
 * ended.
 */
export interface SharedEndpointPlan {
  /** As in the config, e.g. `judge`. */
  readonly name: string;
  /** As a task's; `null`: an existing endpoint, which is only tried. */
  readonly endpointName: string | null;
  readonly endpoint: EndpointPlan;
  /** Where its log is, as a task's folder: below the local output folder. */
  readonly folder: string;
  /** Its price, with all its replicas. Absent: the run has no budget. */
  readonly endpointPerHour?: number;
}

/** How a task uses a shared endpoint. */
export interface EndpointUse {
  /** Position in `RunPlan.sharedEndpoints`. */
  readonly endpoint: number;
  /** Variables of the job that hold its request URLs; each with the path that is appended to the endpoint's URL. */
  readonly variables: Readonly<Record<string, string>>;
  /** It serves the evaluated model, and this is its name: the task has no endpoint of its own. */
  readonly servesModel?: string;
}

/** A shared endpoint that a retry does not create. */
export interface SparedEndpoint {
  readonly endpoint: SharedEndpointPlan;
  /** As its task would use it; the position is that in the retried run. */
  readonly use: EndpointUse;
}

export interface TaskPlan {
  /** Position in `evaluation.tasks`, from 0. */
  readonly index: number;
  /** The name as the user wrote it; in a run of several models `<model>/<name>`. */
  readonly name: string;
  /** Name of its model among those of the run. Absent: the run has one. */
  readonly model?: string;
  /** Its endpoint, if not the run's. */
  readonly endpoint?: EndpointPlan;
  /** Price of its endpoint, if not that of the run's budget. */
  readonly endpointPerHour?: number;
  /** `harness.task` as resolved from the catalogue. */
  readonly task: string;
  /** Deterministic, at most 36 characters, `^[a-z][a-z0-9-]*[a-z0-9]$`; `null` when an existing endpoint is used. */
  readonly endpointName: string | null;
  readonly jobName: string;
  /** Appended to a dedicated endpoint's URL, e.g. `/v1/completions`. */
  readonly endpointPath: string;
  /** This task's own folder name, `<index>-<slug>`: below the run's storage folder, and below the local output folder. */
  readonly folder: string;
  /** The image that the catalogue has for the task, if the job's is another one. */
  readonly cataloguedImage?: string;
  /** Shared endpoints that it uses. Absent: none. */
  readonly uses?: readonly EndpointUse[];
  /** Shared endpoints that it would use if it ran: it is taken over, and no other task needs them. Absent: none. */
  readonly spared?: readonly SparedEndpoint[];
  readonly job: JobSpec;
  /** The same task of the run that this one goes on from. Absent: there is none. */
  readonly earlier?: EarlierTask;
}

/** A task of an earlier run. */
export interface EarlierTask {
  /** `results`: it has succeeded, and is not run again. `caches`: it is run, and asks only what its evaluator has not cached. */
  readonly use: 'results' | 'caches';
  readonly invocation: string;
  readonly index: number;
  /** Place of its run's results: see `contract/results-place.ts`. */
  readonly place: string;
  /** Its folder there. */
  readonly folder: string;
}

/** The run's own folder in workspace storage. */
export interface StoragePlan {
  /** Name of the file system in the storage API, e.g. `lepton-shared-fs` or `default`. */
  readonly fileSystem: string;
  /** `<mount path>/<invocation>`: absolute, in the file system. Each task's folder is `<path>/<task.folder>`. */
  readonly path: string;
  /** The mount itself, for jobs that read the storage if there is no storage API. */
  readonly mount: MountSpec;
}

/** Time limits in seconds, unless named otherwise. Each is a timer in a workflow or an activity's budget. */
export interface RunLimits {
  readonly endpointReadySeconds: number;
  readonly jobSeconds: number;
  readonly teardownSeconds: number;
  /** `null`: no limit on the whole run. */
  readonly runSeconds: number | null;
  /** Bytes fetched per task. If the results are larger, the storage is kept and named. */
  readonly resultBytes: number;
  /** How many jobs may follow a task's first one if it is ended from outside, one after the other. Absent: none. */
  readonly jobRetries?: number;
}

/** Limit on the cost of a run, and prices per hour, all in `currency`. Teardown is never cut short for it. */
export interface BudgetPlan {
  /** Sum at which the run is torn down. */
  readonly limit: number;
  /** For display only, e.g. `USD`. */
  readonly currency: string;
  /** Of one task's endpoint with all its replicas; 0 for an existing endpoint. */
  readonly endpointPerHour: number;
  /** Of one evaluation job; 0 if its shape has no price. */
  readonly jobPerHour: number;
}

/** The home that a run was started from, if its task queue is also served by workers of other homes. */
export interface LaunchingHome {
  /** Served only by the background worker of that home. */
  readonly taskQueue: string;
  /** Whether the plan refers to host variables, whose values only that home knows. */
  readonly holdsSecrets: boolean;
}

export interface RunPlan {
  readonly version: 1;
  /** 16 hexadecimal digits. */
  readonly invocation: string;
  readonly platform: PlatformRef;
  /** The platform is a simulated one: nothing is evaluated there, and the scores are made up. */
  readonly simulated?: true;
  readonly owner: string;
  /** What people call the run. */
  readonly name?: string;
  readonly tags?: Readonly<Record<string, string>>;
  /** The run that this one goes on from (`retry`). */
  readonly retryOf?: string;
  /** Served model name; of several models all of them. */
  readonly model: string;
  /** Absolute folder `<output_dir>/<invocation>` on the machine that the run was started on. */
  readonly outputDir: string;
  /**
   * Where workers write results, if not to `outputDir`: `s3://bucket/prefix`, or `file:///folder` on a file system that all share.
   * No slash at its end. The run's own place is `<store>/<invocation>`: see `resultsPlaceOf`.
   */
  readonly resultsStore?: string;
  /** The values of host variables lie in the results store, sealed with the encryption key that client and workers share. */
  readonly sealedSecrets?: true;
  readonly startPolicy: 'all_ready' | 'as_ready';
  /** Jobs start while their endpoints load, and wait inside. Absent: they start when their endpoints are Ready. */
  readonly startJobsEarly?: true;
  /** Endpoints are released as soon as the job's last request is answered, where its log tells that. Absent: when the job has ended. */
  readonly releaseEndpoint?: 'after_last_request';
  readonly onTaskFailure: 'abort' | 'continue';
  /** How many tasks may hold an endpoint at the same time; `null`: all of them. */
  readonly maxParallelEndpoints: number | null;
  readonly keepStorage: boolean;
  /** Names of folders (ending in `/`) and files that are not fetched, `*` for any characters; absent: the default ones. */
  readonly skipResults?: readonly string[];
  /** Jobs that succeed pack their results into one archive (results-archive.ts). Absent: they don't, as those of an older build. */
  readonly packsResults?: true;
  readonly limits: RunLimits;
  /** `null` or absent: costs are not counted. */
  readonly budget?: BudgetPlan | null;
  /** Each task gets its own endpoint with this spec, unless it has another. */
  readonly endpoint: EndpointPlan;
  readonly storage: StoragePlan;
  /** Absent: every task has what it needs for itself. */
  readonly sharedEndpoints?: readonly SharedEndpointPlan[];
  /** Absent: all workers of the run's task queue share the launching home, and do everything. */
  readonly home?: LaunchingHome;
  readonly tasks: readonly TaskPlan[];
  /** Exports that the run makes at its end. Absent: none. */
  readonly exports?: readonly ExportPlan[];
  /** Where to find what doesn't belong in history, all on the launching host. */
  readonly provenance: {
    /** Resolved config with secrets masked, as YAML; copied into `run.json`. Relative to the run's record folder. */
    readonly configDigest: string;
    readonly command: string;
  };
}
