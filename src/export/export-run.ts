import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ExportRequest } from '../contract/export';
import type { RunRecord } from '../results/scores/run-record';
import { writeRunRecord } from '../results/scores/run-record';
import type { TaskSnapshot } from '../contract/state';
import type { ExportContext, Exported } from './exporter';
import type { ExportedRun } from './exported-run';
import { exportedRun } from './read-run';

/** Sends runs to their targets. Adding a target: its name in `contract/export.ts`, its settings in `config/schema/export.ts`, and a line here. */

export interface RunToExport {
  readonly record: RunRecord;
  /** The run's own folder on this machine, absolute. */
  readonly folder: string;
  /** Which tasks are meant; default: all. */
  readonly includes?: (task: TaskSnapshot) => boolean;
}

/** Calls `work` with what is exported of a run, and with the files about it as a whole, which are removed afterwards. */
export async function withExportedRun<T>(source: RunToExport, work: (run: ExportedRun) => Promise<T>): Promise<T> {
  const scratch = await mkdtemp(path.join(tmpdir(), 'evalsaga-export-'));
  try {
    let written: Promise<Record<string, string>> | undefined;
    // Only where they are attached: the report's plotting library takes long to load.
    const files = () => (written ??= writeRunFiles(source.record, scratch));
    return await work(await exportedRun({ ...source, files }));
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function writeRunFiles(record: RunRecord, scratch: string): Promise<Record<string, string>> {
  await writeRunRecord(scratch, record);
  const report = path.join(scratch, 'report.html');
  const { runReport } = await import('../report/run/run-report.js');
  const { reportedRun } = await import('../report/run/reported-run.js');
  const written = { writtenAt: record.endedAt, version: record.versions.evalsaga };
  await writeFile(report, runReport([reportedRun(record)], written));
  const files = { 'run.json': path.join(scratch, 'run.json'), 'report.html': report };
  if (record.config === null) return files;
  const config = path.join(scratch, 'config.yml');
  await writeFile(config, record.config);
  return { ...files, 'config.yml': config };
}

/** Exports a run; see `Exporter`. */
export async function exportRun(run: ExportedRun, request: ExportRequest, context: ExportContext): Promise<Exported> {
  // Each target is loaded only where it is used.
  switch (request.to) {
    case 'mlflow':
      return (await import('./mlflow/mlflow.js')).exportMlflow(run, request.settings, context);
    case 'wandb':
      return (await import('./wandb/wandb.js')).exportWandb(run, request.settings, context);
    case 'gsheets':
      return (await import('./gsheets/gsheets.js')).exportGsheets(run, request.settings, context);
    case 'json':
      return (await import('./json.js')).exportJson(run, request.settings, context);
    case 'csv':
      return (await import('./csv.js')).exportCsv(run, request.settings, context);
    case 'nel':
      return (await import('./nel.js')).exportNel(run, request.settings, context);
    case 'eee':
      return (await import('./eee.js')).exportEee(run, request.settings, context);
  }
}
