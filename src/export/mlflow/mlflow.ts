import type { MlflowSettings } from '../../contract/export';
import { attachmentsOf, runFilesOf } from '../attachments';
import { factsOf, measurementsOf, namedScores, type ExportedRun, type ExportedTask } from '../exported-run';
import { ExportFault, type ExportContext, type Exported, type Exporter } from '../exporter';
import { MlflowClient, type MlflowRun } from './client';
import { flatConfig, keyOf, parameterOf, tagOf } from './names';

/**
 * One MLflow run per task, found again by its tag `job_id`. Scores are metrics, what identifies the evaluation is parameters and
 * tags; the config and files of the task are its artefacts.
 */
export const exportMlflow: Exporter<MlflowSettings> = async (run, settings, context) => {
  const { root, client } = connection(settings, context);
  const experiment = await client.experiment(settings.experiment_name);
  const exports = new MlflowExport({ run, settings, context, client, experiment });
  for (const task of run.tasks) await exports.task(task);
  return exports.done(`${root}/#/experiments/${experiment}`);
};

/** Tag by which the run of a task is found. */
const keyTag = 'job_id';

function connection(
  settings: MlflowSettings,
  { variable, signal, fetch }: ExportContext,
): { readonly root: string; readonly client: MlflowClient } {
  const given = settings.tracking_uri ?? variable('MLFLOW_TRACKING_URI');
  if (given === undefined)
    throw new ExportFault('MLflow: set export.mlflow.tracking_uri, or the variable MLFLOW_TRACKING_URI', 'settings');
  const url = URL.canParse(given) ? new URL(given) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:')
    throw new ExportFault(
      'MLflow: only tracking servers can be exported to: tracking_uri must begin with http:// or https://',
      'settings',
    );
  const { username, password } = url;
  url.username = '';
  url.password = '';
  const root = url.href.replace(/[?#].*$/, '').replace(/\/+$/, '');
  const user = variable('MLFLOW_TRACKING_USERNAME') ?? decodeURIComponent(username);
  const pass = variable('MLFLOW_TRACKING_PASSWORD') ?? decodeURIComponent(password);
  const token = variable('MLFLOW_TRACKING_TOKEN');
  const authorization =
    user === '' ? token && `Bearer ${token}` : `Basic ${Buffer.from(`${user}:${pass}`).toString('base64')}`;
  const headers = authorization === undefined || authorization === '' ? {} : { authorization };
  return { root, client: new MlflowClient(root, { name: `MLflow at ${root}`, headers, signal, fetch }) };
}

interface MlflowParts {
  readonly run: ExportedRun;
  readonly settings: MlflowSettings;
  readonly context: ExportContext;
  readonly client: MlflowClient;
  readonly experiment: string;
}

class MlflowExport {
  private tasks = 0;
  private skipped = 0;
  private readonly notes = new Set<string>();

  constructor(private readonly parts: MlflowParts) {}

  async task(task: ExportedTask): Promise<void> {
    const { client, experiment, context, settings } = this.parts;
    context.signal.throwIfAborted();
    context.progress(`task ${task.index} ${task.name}`);
    const before = await client.runWithTag(experiment, [keyTag, task.key]);
    if (before && settings.skip_existing) {
      this.skipped += 1;
      return;
    }
    const name = tagOf(settings.run_name ?? `eval-${this.parts.run.invocation}-${task.benchmark}`);
    const tags = this.tagsOf(task);
    const startedAtMs = Date.parse(task.startedAt ?? this.parts.run.startedAt);
    const current = before ?? (await client.createRun({ experiment, name, startedAtMs, tags }));
    const endedAtMs = Date.parse(task.endedAt ?? this.parts.run.endedAt);
    await client.log(current.id, { ...this.valuesOf(task, current), tags }, endedAtMs);
    await this.attach(task, current);
    await client.finishRun(current.id, { name, endedAtMs });
    this.tasks += 1;
  }

  done(where: string): Exported {
    return { tasks: this.tasks, skipped: this.skipped, where, notes: [...this.notes] };
  }

  private tagsOf(task: ExportedTask): [string, string][] {
    const { run, settings } = this.parts;
    const { invocation_id, job_id, task_name, benchmark, harness, executor, run_name, outcome, partial } = factsOf(
      run,
      task,
    );
    const own = { invocation_id, job_id, task_name, benchmark, harness, executor, run_name, outcome, partial };
    const findings = task.findings.map(({ message }) => message).join('; ');
    const note = settings.description ?? undefined;
    const all = {
      ...run.tags,
      ...settings.tags,
      ...own,
      ...(findings === '' ? {} : { findings }),
      'mlflow.note.content': note,
    };
    return Object.entries(all).flatMap(([key, value]) => (value === undefined ? [] : [[keyOf(key), tagOf(value)]]));
  }

  /** A parameter keeps its value for ever, and a metric that is logged again is a new point: only what is new is logged. */
  private valuesOf(task: ExportedTask, before: MlflowRun) {
    const { run, settings } = this.parts;
    const config = settings.log_config_params && run.config !== null ? run.config : '';
    const facts = factsOf(run, task);
    const parameters = {
      ...facts,
      timestamp: String(Date.parse(task.endedAt ?? run.endedAt) / 1000),
      launcher_command: run.command,
      results_dir: task.folder ?? undefined,
      ...settings.extra_metadata,
      ...flatConfig(config, settings.log_config_params_max_depth),
    };
    const metrics = { ...namedScores(task, settings), ...measurementsOf(task) };
    return {
      parameters: Object.entries(parameters).flatMap(([name, value]): [string, string][] => {
        const key = keyOf(name);
        return value === undefined || value === '' || before.parameters.has(key) ? [] : [[key, parameterOf(value)]];
      }),
      metrics: Object.entries(metrics)
        .map(([name, value]) => ({ key: keyOf(name), value }))
        .filter(({ key, value }) => before.metrics.get(key) !== value),
    };
  }

  private async attach(task: ExportedTask, { artifactUri }: MlflowRun): Promise<void> {
    const { client, settings, run, context } = this.parts;
    const root = /^mlflow-artifacts:\/*(?:[^/]*:\d+\/)?(.*?)\/*$/.exec(artifactUri)?.[1];
    const files = [...(await runFilesOf(run)), ...(await attachmentsOf(task, settings, settings.exclude_patterns))];
    if (files.length === 0) return;
    if (root === undefined) {
      const scheme = /^[a-z0-9+.-]+:/i.exec(artifactUri)?.[0] ?? 'a folder of the server';
      this.notes.add(
        `no files were attached: the server keeps artefacts elsewhere (${scheme}) and does not pass them on (mlflow server --serve-artifacts)`,
      );
      return;
    }
    for (const file of files) {
      context.signal.throwIfAborted();
      await client.putArtifact(`${root}/${file.name}`, file);
    }
  }
}
