/**
 * The plan of a run: everything a workflow needs, decided and validated before it starts. Plain JSON, free of secrets
 * (references only), written once into workflow history.
 */

/** Where a run's endpoints and jobs live. Credentials are looked up by the worker, never carried here. */
export type PlatformRef =
  | { readonly kind: 'lepton'; readonly workspace: string; readonly url: string }
  | { readonly kind: 'local'; readonly workspace: string };

/** A value that is known only where it is used. `host` names a variable of the launching host; `workspace` a platform secret. */
export type SecretRef =
  { readonly kind: 'host'; readonly name: string } | { readonly kind: 'workspace'; readonly name: string };

/** One container variable: a literal, a workspace secret (`secret_name_ref`), or a variable of the launching host. */
export type EnvEntry =
  { readonly name: string; readonly value: string } | { readonly name: string; readonly secret: SecretRef };

/** One token that callers of an endpoint must present: literal values never appear, only references. */
export type TokenEntry = SecretRef;

/** A storage mount as the platform takes it: `path` in volume `from` appears at `mount_path` in the container. */
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
 * An endpoint as it will be created, but for its name and its secrets. `envs` and `apiTokens` hold references that the
 * create activity turns into wire form; `body` is the rest of the platform's deployment spec, verbatim.
 */
export interface EndpointSpec {
  readonly container: ContainerSpec;
  readonly envs: readonly EnvEntry[];
  readonly apiTokens: readonly TokenEntry[];
  readonly mounts: readonly MountSpec[];
  /** Node group by name or id as the user wrote it; resolved to an id when the endpoint is created. `null`: any. */
  readonly nodeGroup: string | null;
  readonly body: Readonly<Record<string, unknown>>;
}

/** What "Ready" means beyond the platform's word. */
export interface ProbeSpec {
  /** The name that `GET /v1/models` must list, and that the harness asks for. */
  readonly servedModel: string;
  /** Health path that must answer 2xx before the models are asked for, e.g. `/health`; `null`: none. */
  readonly healthPath: string | null;
  /** One tiny request as warm-up, by the kind of endpoint the tasks need. */
  readonly warmUp: 'chat' | 'completions' | 'none';
  /** Key for the probe. `workspace` secrets cannot be read by the launcher: then a 401 counts as an answer. */
  readonly token: SecretRef | null;
}

export type EndpointPlan =
  | { readonly kind: 'dedicated'; readonly spec: EndpointSpec; readonly probe: ProbeSpec }
  /** `deployment: none`: an endpoint of the user's, which is used and never touched. `url` is the full request URL. */
  | { readonly kind: 'existing'; readonly url: string; readonly probe: ProbeSpec };

/** An evaluation job as it will be submitted, but for its endpoint URL (variable `EVALSAGA_MODEL_URL`) and its secrets. */
export interface JobSpec {
  readonly container: ContainerSpec;
  readonly envs: readonly EnvEntry[];
  readonly mounts: readonly MountSpec[];
  readonly nodeGroup: string | null;
  /** The rest of the platform's job spec, verbatim (resource_shape, ttl_seconds_after_finished, queue_config, …). */
  readonly body: Readonly<Record<string, unknown>>;
}

export interface TaskPlan {
  /** Position in `evaluation.tasks`, from 0. */
  readonly index: number;
  /** The name as the user wrote it. */
  readonly name: string;
  /** `harness.task` as resolved from the catalogue. */
  readonly task: string;
  /** Deterministic, at most 36 characters, `^[a-z][a-z0-9-]*[a-z0-9]$`; `null` when an existing endpoint is used. */
  readonly endpointName: string | null;
  readonly jobName: string;
  /** Appended to a dedicated endpoint's URL, e.g. `/v1/completions`. */
  readonly endpointPath: string;
  /** This task's own folder name, `<index>-<slug>`: below the run's storage folder, and below the local output folder. */
  readonly folder: string;
  readonly job: JobSpec;
}

/** The run's own folder in workspace storage. */
export interface StoragePlan {
  /** Name of the file system in the storage API, e.g. `lepton-shared-fs` or `default`. */
  readonly fileSystem: string;
  /** `<mount path>/<invocation>`: absolute, in the file system. Each task's folder is `<path>/<task.folder>`. */
  readonly path: string;
  /** The mount itself, for jobs that read the storage where no storage API exists. */
  readonly mount: MountSpec;
}

/** Bounds, in seconds unless named otherwise. Each one is a timer in a workflow or an activity's budget. */
export interface RunLimits {
  readonly endpointReadySeconds: number;
  readonly jobSeconds: number;
  readonly teardownSeconds: number;
  /** `null`: no bound on the whole run. */
  readonly runSeconds: number | null;
  /** Largest result folder, in bytes, that is brought home per task. Beyond it the storage is kept and named. */
  readonly resultBytes: number;
}

/** What a run may cost and what its parts do: prices per hour, all in `currency`. Teardown is never cut short for it. */
export interface BudgetPlan {
  /** At this sum the run is cancelled, with teardown. */
  readonly limit: number;
  /** Only shown, e.g. `USD`. */
  readonly currency: string;
  /** Of one task's endpoint with all its replicas; 0 for an endpoint that is not the run's. */
  readonly endpointPerHour: number;
  /** Of one evaluation job; 0 where its shape has no price. */
  readonly jobPerHour: number;
}

/** The home that a run was started from, where the workers of the run's task queue are not all its own. */
export interface LaunchingHome {
  /** Served by the background worker of that home alone. */
  readonly taskQueue: string;
  /** Whether the plan refers to host variables, whose values only that home has. */
  readonly holdsSecrets: boolean;
}

export interface RunPlan {
  readonly version: 1;
  /** 16 hexadecimal digits. */
  readonly invocation: string;
  readonly platform: PlatformRef;
  /** The platform says that it only plays: nothing is evaluated there, and the scores are made up. */
  readonly simulated?: true;
  readonly owner: string;
  /** Served model name. */
  readonly model: string;
  /** Absolute folder `<output_dir>/<invocation>` on the machine that the run was started on. */
  readonly outputDir: string;
  readonly startPolicy: 'all_ready' | 'as_ready';
  readonly onTaskFailure: 'abort' | 'continue';
  /** How many tasks hold an endpoint at once; `null`: all of them. */
  readonly maxParallelEndpoints: number | null;
  readonly keepStorage: boolean;
  /** Names of folders (ending in `/`) and files that are not brought home, `*` for any characters; absent: the default ones. */
  readonly skipResults?: readonly string[];
  readonly limits: RunLimits;
  /** `null` or absent: nothing is counted. */
  readonly budget?: BudgetPlan | null;
  /** Shared by all tasks: each gets its own endpoint of this shape. */
  readonly endpoint: EndpointPlan;
  readonly storage: StoragePlan;
  /** Absent: whoever serves the run's task queue is at home, and does everything. */
  readonly home?: LaunchingHome;
  readonly tasks: readonly TaskPlan[];
  /** Where to find what does not belong into history, all on the launching host. */
  readonly provenance: {
    /** Resolved config with secrets masked, as YAML; copied into `run.json`. Relative to the run's record folder. */
    readonly configDigest: string;
    readonly command: string;
  };
}
