import type { EnvEntry } from './plan';

/** What is exported where after a run, and how that went. Keys of settings are those of configs of NeMo Evaluator Launcher. */

/** Where results can be exported to. */
export const exportTargets = ['mlflow', 'wandb', 'json', 'csv', 'nel', 'eee', 'gsheets'] as const;

export type ExportTarget = (typeof exportTargets)[number];

/** Targets that are files. */
export const fileTargets = ['json', 'csv', 'nel', 'eee'] as const satisfies readonly ExportTarget[];

export type FileTarget = (typeof fileTargets)[number];

export const isFileTarget = (target: ExportTarget): target is FileTarget =>
  fileTargets.some((candidate) => candidate === target);

/** Settings of every target. */
export interface CommonExportSettings {
  /** Attach the logs of the task's job and endpoint. */
  readonly copy_logs: boolean;
  /** Attach files of the result folder. */
  readonly copy_artifacts: boolean;
  /** Of these, only the small ones that say what was evaluated, and how. */
  readonly only_required: boolean;
  /** Parts of names: only scores whose names have one of them. Empty: all scores. */
  readonly log_metrics: readonly string[];
}

export interface MlflowSettings extends CommonExportSettings {
  /** `null`: the variable `MLFLOW_TRACKING_URI`. */
  readonly tracking_uri: string | null;
  readonly experiment_name: string;
  readonly run_name: string | null;
  readonly description: string | null;
  readonly tags: Readonly<Record<string, string>>;
  /** Further parameters of the MLflow run. */
  readonly extra_metadata: Readonly<Record<string, string>>;
  readonly skip_existing: boolean;
  /** Log the config as parameters, one for each value. */
  readonly log_config_params: boolean;
  readonly log_config_params_max_depth: number;
  /** Names of files that are not attached, `*` for any characters. */
  readonly exclude_patterns: readonly string[];
}

export interface WandbSettings extends CommonExportSettings {
  readonly entity: string | null;
  readonly project: string;
  readonly log_mode: 'per_task' | 'multi_task';
  readonly name: string | null;
  readonly group: string | null;
  readonly job_type: string;
  readonly tags: readonly string[];
  readonly description: string | null;
  readonly extra_metadata: Readonly<Record<string, string>>;
  /** With `multi_task`: id of the W&B run. `null`: the run's id. */
  readonly run_id: string | null;
}

export interface FileSettings extends CommonExportSettings {
  /** Absolute, or relative to the working folder; `null`: the target's own default. */
  readonly output_dir: string | null;
  /** Of `json` and `csv`. `null`: `processed_results.json` or `.csv`. */
  readonly output_filename: string | null;
}

export interface GsheetsSettings extends CommonExportSettings {
  /** Key file of a service account, on the machine that exports. `null`: see the variables. */
  readonly service_account_file: string | null;
  readonly spreadsheet_id: string | null;
  /** Without an id: the spreadsheet of this name, which is made if there is none. */
  readonly spreadsheet_name: string;
}

/** One target with its settings. */
export type ExportRequest =
  | { readonly to: 'mlflow'; readonly settings: MlflowSettings }
  | { readonly to: 'wandb'; readonly settings: WandbSettings }
  | { readonly to: FileTarget; readonly settings: FileSettings }
  | { readonly to: 'gsheets'; readonly settings: GsheetsSettings };

/** An export that a run makes at its end. */
export type ExportPlan = ExportRequest & {
  /** Variables of the exporter: keys are references. */
  readonly envs: readonly EnvEntry[];
};

/** How an export went. */
export interface ExportReport {
  readonly to: ExportTarget;
  readonly outcome: 'running' | 'exported' | 'failed' | 'skipped';
  /** Tasks whose results are there now. */
  readonly tasks: number;
  /** URL or folder; `null`: there is none. */
  readonly where: string | null;
  /** Why it failed or was skipped, or what was left out; `null`: nothing to say. */
  readonly message: string | null;
}

/** Variables that exporters read, by target. */
export const exportVariables: Readonly<Record<ExportTarget, readonly string[]>> = {
  mlflow: ['MLFLOW_TRACKING_URI', 'MLFLOW_TRACKING_TOKEN', 'MLFLOW_TRACKING_USERNAME', 'MLFLOW_TRACKING_PASSWORD'],
  wandb: ['WANDB_API_KEY', 'WANDB_BASE_URL', 'WANDB_MODE', 'WANDB_ENTITY', 'WANDB_DIR'],
  gsheets: ['GSHEETS_SERVICE_ACCOUNT', 'GSHEETS_ACCESS_TOKEN'],
  json: [],
  csv: [],
  nel: [],
  eee: [],
};
