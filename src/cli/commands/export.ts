import { stat } from 'node:fs/promises';
import path from 'node:path';
import { exportDestinations, exportRequest, loadEnvironment, type RequestedExport } from '../../config';
import { isFileTarget, type ExportReport } from '../../contract/export';
import type { TaskSnapshot } from '../../contract/state';
import { exportRun, withExportedRun } from '../../export/export-run';
import { ExportFault, type Exported } from '../../export/exporter';
import type { ExportedRun } from '../../export/exported-run';
import { readRunRecord, type RunRecord } from '../../results/scores/run-record';
import { isSecretName } from '../../secrets/names';
import { harmlessLine } from '../../support/terminal-text';
import { flag, listOption, textOption, type CommandBody, type CommandContext, type CommandInput } from '../command';
import { wantsJson } from '../config-input';
import { done } from '../exit-code';
import { resultsPlace } from '../results-place';
import { checkIndex, checkModel } from '../session';
import { UsageError } from '../usage-error';

/** A run, or one task or model of it, with its record. */
interface Source {
  readonly label: string;
  readonly record: RunRecord;
  readonly folder: string;
  readonly includes: (task: Pick<TaskSnapshot, 'index' | 'model'>) => boolean;
}

/** `export ID… --to TARGET`: sends the results of runs that have ended somewhere else. */
export const exportResults: CommandBody = async (input, context) => {
  const to = destinationOf(input);
  if (input.arguments.every((given) => given === undefined)) throw new UsageError('Give the ids of runs, or folders.');
  const sources: Source[] = [];
  for (const given of input.arguments) if (given !== undefined) sources.push(await sourceOf(given, context));
  const file = textOption(input, 'config');
  const envFile = textOption(input, 'envFile');
  const { cwd } = context;
  const env = loadEnvironment({ env: context.env, cwd, ...(envFile === undefined ? {} : { envFile }) });
  const requests = sources.map(({ record }) =>
    exportRequest({
      ...{ to, env, runConfig: record.config, overrides: listOption(input, 'override') },
      file: file === undefined ? undefined : path.resolve(cwd, file),
    }),
  );
  const reports: ShownReport[] = [];
  for (const [at, source] of sources.entries()) {
    const requested = requests[at];
    if (requested) reports.push(await exportOne(source, requested, { input, context }));
  }
  if (wantsJson(input)) context.output.json({ exports: reports });
  return done;
};

function destinationOf(input: CommandInput): (typeof exportDestinations)[number] {
  const given = textOption(input, 'to') ?? textOption(input, 'dest');
  const found = exportDestinations.find((name) => name === given);
  if (found !== undefined) return found;
  const what =
    given === undefined ? 'Say where to: --to TARGET' : `--to ${harmlessLine(given)}: there is no such target`;
  throw new UsageError(`${what}. There are: ${exportDestinations.join(', ')}.`);
}

async function sourceOf(given: string, context: CommandContext): Promise<Source> {
  const { folder, index, model } = await resultsPlace(given, context);
  const isFile = (await stat(folder).catch(() => undefined))?.isFile() === true;
  const record = isFile ? undefined : await readRunRecord(folder);
  if (!record)
    throw new UsageError(
      `${given}: there is no run.json in ${folder}. A run has it once it has ended; to see a run that is under way: evalsaga results ${given}`,
    );
  checkIndex(index, record.tasks);
  checkModel(model, record.tasks);
  const includes: Source['includes'] = (task) =>
    (index === undefined || task.index === index) && (model === undefined || task.model === model);
  return { label: given, record, folder, includes };
}

interface ShownReport extends Omit<ExportReport, 'outcome'> {
  readonly run: string;
  readonly outcome: 'exported' | 'would be exported';
}

async function exportOne(
  { record, folder, includes, label }: Source,
  { request, variables }: RequestedExport,
  { input, context }: { readonly input: CommandInput; readonly context: CommandContext },
): Promise<ShownReport> {
  const { output, home, cwd } = context;
  const outputDir = outputDirOf(request, { input, cwd, folder });
  return withExportedRun({ record, folder, includes }, async (run) => {
    if (run.tasks.length === 0)
      throw new UsageError(`${label}: no task of run ${record.invocation} has scores to export.`);
    for (const { index: task, name, isPartial } of run.tasks)
      if (isPartial)
        output.warn(`task ${task} ${harmlessLine(name)} was interrupted: its scores cover some samples only`);
    if (flag(input, 'dryRun')) {
      const report = dryReport(run, request.to, isFileTarget(request.to) ? outputDir : null);
      if (!wantsJson(input)) output.answer(dryText(run, report));
      return report;
    }
    output.conceal([...variables].flatMap(([name, value]) => (isKey(name) ? [value] : [])));
    const exported = await exportRun(run, request, {
      variable: (name) => variables.get(name),
      outputDir,
      home,
      signal: new AbortController().signal,
      progress: (line) => output.note(output.style.dim(harmlessLine(line))),
    }).catch((error: unknown) => {
      throw error instanceof ExportFault && error.kind === 'settings' ? new UsageError(error.message) : error;
    });
    const report = reportOf(run, { to: request.to, exported });
    if (!wantsJson(input)) output.answer(reportText(report, exported));
    return report;
  });
}

const isKey = (variable: string): boolean => isSecretName(variable) || variable.startsWith('GSHEETS_');

function outputDirOf(
  { to, settings }: RequestedExport['request'],
  { input, cwd, folder }: { readonly input: CommandInput; readonly cwd: string; readonly folder: string },
): string {
  const given = textOption(input, 'outputDir') ?? ('output_dir' in settings ? settings.output_dir : null);
  return given === null ? path.join(folder, 'exports', to) : path.resolve(cwd, given);
}

function dryReport({ invocation, tasks }: ExportedRun, to: ExportReport['to'], where: string | null): ShownReport {
  return { run: invocation, to, outcome: 'would be exported', tasks: tasks.length, where, message: null };
}

function reportOf(
  { invocation }: ExportedRun,
  { to, exported: { tasks, skipped, where, notes } }: { readonly to: ExportReport['to']; readonly exported: Exported },
): ShownReport {
  const message = notes.length === 0 ? null : notes.join('; ');
  return { run: invocation, to, outcome: 'exported', tasks: tasks + skipped, where, message };
}

function dryText({ tasks }: ExportedRun, { run, to, where }: ShownReport): string {
  const lines = tasks.map(
    ({ key, name, harness, scores, folder }) =>
      `  ${key} ${harmlessLine(harness === null ? name : `${harness}.${name.replace(`${harness}.`, '')}`)}: ${scores.length} ${scores.length === 1 ? 'score' : 'scores'}${folder === null ? '; its files are not on this machine' : ''}`,
  );
  return [`run ${run} would be exported to ${to}${where === null ? '' : ` in ${where}`}:`, ...lines].join('\n');
}

function reportText({ run, to, where, message }: ShownReport, { tasks, skipped }: Exported): string {
  const counted = `${tasks} ${tasks === 1 ? 'task' : 'tasks'}`;
  const kept = skipped === 0 ? '' : `, ${skipped} left as they were`;
  const note = message === null ? '' : `\n  ${harmlessLine(message)}`;
  return `run ${run} exported to ${to}: ${counted}${kept}: ${harmlessLine(where ?? '')}${note}`;
}
