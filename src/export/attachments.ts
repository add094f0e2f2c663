import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import picomatch from 'picomatch';
import type { CommonExportSettings } from '../contract/export';
import type { ExportedRun, ExportedTask } from './exported-run';

/** Which files of a task's results are attached. The names are those of NeMo Evaluator Launcher. */

/** One file to attach. */
export interface Attachment {
  /** Absolute. */
  readonly file: string;
  /** Where it belongs at the target: `lm-evaluation-harness.hellaswag/artifacts/results.yml`. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
}

const required = ['results.yml', 'eval_factory_metrics.json', 'run_config.yml', 'metadata.yaml', 'omni-info.json'];

const excluded = [
  '*cache*',
  '*.db',
  '*.lock',
  'synthetic',
  'debug.json',
  'preprocessed_datasets',
  'evaluator_rollouts.jsonl',
  'evaluator_rollouts_materialized_inputs.jsonl',
  // evalsaga's own.
  '.*',
];

/** Where a task's attachments are below a target's root. Pure. */
export const attachmentRoot = ({ harness, benchmark }: Pick<ExportedTask, 'harness' | 'benchmark'>): string =>
  harness === null ? benchmark : `${harness}.${benchmark}`;

/** Returns the attachments of a task, in the order of their names; none if its results are not on this machine. */
export async function attachmentsOf(
  task: ExportedTask,
  settings: CommonExportSettings,
  extraExcluded: readonly string[] = [],
): Promise<readonly Attachment[]> {
  const { folder } = task;
  if (folder === null) return [];
  const root = attachmentRoot(task);
  const artefacts = settings.copy_artifacts ? await artefactsIn(folder, settings.only_required, extraExcluded) : [];
  const logs = settings.copy_logs ? (await filesBelow(path.join(folder, 'logs'))).map((name) => `logs/${name}`) : [];
  const all = [
    ...artefacts.map((name) => ({ file: path.join(folder, name), name: `${root}/artifacts/${name}` })),
    ...logs.map((name) => ({ file: path.join(folder, name), name: `${root}/${name}` })),
  ];
  return (await Promise.all(all.map(withSize))).flat();
}

async function artefactsIn(folder: string, onlyRequired: boolean, extra: readonly string[]): Promise<string[]> {
  const names = await filesBelow(folder);
  if (onlyRequired) return names.filter((name) => required.includes(name));
  const isExcluded = picomatch([...excluded, ...extra], { nocase: true, dot: true });
  return names.filter((name) => !name.startsWith('logs/') && !name.split('/').some((part) => isExcluded(part)));
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)).split(path.sep).join('/'))
    .sort();
}

/** Returns nothing for a file that is gone. */
async function withSize(attachment: Omit<Attachment, 'size'>): Promise<Attachment[]> {
  const found = await stat(attachment.file).catch(() => undefined);
  return found?.isFile() ? [{ ...attachment, size: found.size }] : [];
}

/** Returns the files about the run as a whole. */
export async function runFilesOf({ files }: Pick<ExportedRun, 'files'>): Promise<readonly Attachment[]> {
  return (await Promise.all(Object.entries(await files()).map(([name, file]) => withSize({ name, file })))).flat();
}
