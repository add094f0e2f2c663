/** `export` and `execution.auto_export`, with the keys of NeMo Evaluator Launcher 0.2. */
import { exportTargets } from '../../contract/export';
import { choice, flag, integer, listOf, none, orNull, recordOf, section, text } from './fields';
import { envMap } from './variables';

/** Names of destinations: the targets, and the launcher's name for JSON and CSV files. */
const destinations = [...exportTargets, 'local'] as const;

export const autoExport = section({
  destinations: listOf(choice(...destinations)).describe(
    'Where results go when the run ends: `mlflow`, `wandb`, `gsheets`, or files for people (`json`, `csv`; `local` is the launcher’s name for them) and other tools (`nel`, `eee`). Tasks that did not succeed are left out. A failed export fails no task; `evalsaga export` does it again.',
  ),
}).describe('Exports that a run makes at its end.');

const common = {
  log_metrics: listOf(text()).describe(
    'Parts of names: only scores whose names have one of them are exported; `[]`: all.',
  ),
  copy_artifacts: flag().default(true).describe('Attach files of the result folder.'),
  only_required: flag()
    .default(true)
    .describe(
      'Of these, only `results.yml`, `run_config.yml`, `eval_factory_metrics.json` and the like; false: all but caches.',
    ),
  copy_logs: flag().default(false).describe('Attach the logs of job and endpoint.'),
};

const extraMetadata = recordOf(text()).describe('Further facts about the run, by name.');

const mlflow = section({
  tracking_uri: orNull(text()).describe(
    'URL of the tracking server, or the name of a variable of this host that has it. Null: `MLFLOW_TRACKING_URI`. Keys come from `MLFLOW_TRACKING_TOKEN`, or `MLFLOW_TRACKING_USERNAME` and `MLFLOW_TRACKING_PASSWORD`.',
  ),
  experiment_name: text().default('nemo-evaluator-launcher').describe('The experiment, made if there is none.'),
  run_name: orNull(text()).describe('Name of each MLflow run. Null: `eval-<invocation>-<task>`.'),
  description: orNull(text({ empty: true })).describe('Description of each MLflow run.'),
  tags: recordOf(text()).describe('Tags, by name.'),
  extra_metadata: extraMetadata,
  skip_existing: flag()
    .default(false)
    .describe('Leave runs as they are that were exported before; false: update them.'),
  log_config_params: flag().default(false).describe('Log each value of the config as a parameter.'),
  log_config_params_max_depth: integer({ min: 1, max: 100 })
    .default(10)
    .describe('Values that are nested more deeply are logged as one JSON text.'),
  exclude_patterns: listOf(text()).describe(
    'Names of files and folders that are not attached, with `only_required: false`; `*` matches any characters.',
  ),
  ...common,
});

const wandb = section({
  entity: orNull(text()).describe('The team or user. Null: the default of the key’s user.'),
  project: orNull(text()).describe('The project. Required.'),
  log_mode: choice('per_task', 'multi_task')
    .default('per_task')
    .describe('`per_task`: one W&B run per task; `multi_task`: one for all tasks.'),
  name: orNull(text()).describe('Name of the W&B run. Null: `eval-<invocation>-<task>`.'),
  group: orNull(text()).describe('Group of the W&B runs. Null: the run’s id.'),
  job_type: text().default('evaluation').describe('Job type of the W&B runs.'),
  tags: listOf(text()).describe('Tags.'),
  description: orNull(text({ empty: true })).describe('Notes on the W&B run.'),
  extra_metadata: extraMetadata,
  run_id: orNull(text()).describe('With `multi_task`: id of the W&B run, which is continued if it exists.'),
  ...common,
});

const outputDir = orNull(text()).describe(
  'Folder for the files, on the machine that starts the run. Null: `exports/<target>` beside the results.',
);
const outputFilename = orNull(text({ pattern: /^[^/]+$/, expected: 'a file name' })).describe(
  'Name of the file. Null: `processed_results.json` or `.csv`. One file may hold many runs.',
);

const tableFile = section({ output_dir: outputDir, output_filename: outputFilename, ...common });
const folder = section({ output_dir: outputDir, ...common });

const local = section({
  output_dir: outputDir,
  format: choice('json', 'csv').default('json').describe('Form of the file.'),
  output_filename: outputFilename,
  ...common,
});

const gsheets = section({
  service_account_file: orNull(text()).describe(
    'Key file of a Google service account, on the machine that exports. Null: the variable `GSHEETS_SERVICE_ACCOUNT` (the content of such a file) or `GSHEETS_ACCESS_TOKEN`.',
  ),
  oauth_file: none('a login in a browser is not possible in a run: use the key of a service account').describe(
    'Accepted only when empty: see `service_account_file`.',
  ),
  spreadsheet_id: orNull(text()).describe('The spreadsheet; its first sheet gets a row per task.'),
  spreadsheet_name: text()
    .default('NeMo Evaluator Launcher Results')
    .describe('Without an id: the spreadsheet of this name, which is made if there is none.'),
  ...common,
});

export const exportSettings = section({
  env_vars: envMap('refused').describe(
    'Variables of exporters, `MLFLOW_TRACKING_TOKEN: host:MY_TOKEN`. Those that this host has under their own names need not be listed.',
  ),
  mlflow: mlflow.describe('MLflow.'),
  wandb: wandb.describe('Weights & Biases, by its own client: Python 3.10 is needed where the run’s worker is.'),
  local: local.describe('A JSON or CSV file: another name for `json` and `csv`.'),
  json: tableFile.describe('A JSON file.'),
  csv: tableFile.describe('A CSV file.'),
  nel: folder.describe('Bundles that `nel` 0.3 reads.'),
  eee: folder.describe('Records of every_eval_ever.'),
  gsheets: gsheets.describe('Google Sheets.'),
});
