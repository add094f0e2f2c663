import type { Command } from './command';
import { json } from './common-options';

/** Commands that hand results on. */
export const exportingCommands: readonly Command[] = [
  {
    name: 'export',
    arguments: [
      [
        '<ids...>',
        "the runs' ids, their first digits or names; with .N, only task N; with /MODEL, one of its models; or folders of runs",
      ],
    ],
    summary: 'send the results of ended runs to MLflow, W&B, Google Sheets, or files for other tools',
    options: [
      { form: '--to <target>', meaning: 'mlflow, wandb, gsheets, json, csv, nel or eee (every_eval_ever)' },
      { form: '--dest <target>', meaning: 'the same, as NeMo Evaluator Launcher calls it' },
      { form: '--config <file>', meaning: "YAML file with a section export (default: the run's own config)" },
      {
        form: '-o, --override <key=value>',
        meaning: 'a setting of the target, e.g. experiment_name=nightly',
        repeated: true,
      },
      { form: '--output-dir <folder>', meaning: "for files: where to (default: exports/ in the run's folder)" },
      { form: '--env-file <file>', meaning: 'variables with keys (default: .env here, if any)' },
      { form: '--dry-run', meaning: 'only say what would be exported' },
      json,
    ],
    examples: [
      'export 3f2a --to mlflow -o tracking_uri=http://mlflow:5000',
      'export 3f2a 8c01 --to csv --output-dir ./tables',
      'export 3f2a.0 --to wandb -o project=evaluations --dry-run',
      'export 3f2a/tuned --to nel --output-dir ./nel',
    ],
    load: async () => (await import('./commands/export.js')).exportResults,
  },
];
