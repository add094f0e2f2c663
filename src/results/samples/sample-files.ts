import { readdir } from 'node:fs/promises';
import path from 'node:path';

/** One file that lm-evaluation-harness wrote below a result folder. */
export interface HarnessFile {
  readonly file: string;
  /** `samples`: of one task of the harness, named by `task`. `results`: the summary. */
  readonly kind: 'samples' | 'results';
  /** The harness' task; empty for a summary. */
  readonly task: string;
  /** The part of the name that says when, which orders files of one kind. */
  readonly writtenAt: string;
}

export interface HarnessFiles {
  /** The newest file of each task and folder, in the order of their names. */
  readonly samples: readonly HarnessFile[];
  /** Newest last. */
  readonly summaries: readonly HarnessFile[];
  /** Older samples of a task that a later attempt wrote again. */
  readonly superseded: readonly HarnessFile[];
}

const named = /^(?:samples_(.+)|results)_(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:\.\d+)?)\.jsonl?$/;

/** Finds `samples_<task>_<time>.jsonl` and `results_<time>.json`, at any depth. A folder that can't be listed has none. */
export async function harnessFiles(folder: string): Promise<HarnessFiles> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => []);
  const found = entries
    .filter((entry) => entry.isFile())
    .flatMap((entry): HarnessFile[] => {
      const [matched, task = '', writtenAt = ''] = named.exec(entry.name) ?? [];
      if (matched === undefined || matched.endsWith('.jsonl') !== (task !== '')) return [];
      const file = path.join(entry.parentPath, entry.name);
      return [{ file, kind: task === '' ? 'results' : 'samples', task, writtenAt }];
    })
    .sort((one, other) => compareTexts(one.writtenAt, other.writtenAt) || compareTexts(one.file, other.file));
  const newest = new Map<string, HarnessFile>();
  for (const one of found) if (one.kind === 'samples') newest.set(`${path.dirname(one.file)}\n${one.task}`, one);
  const samples = [...newest.values()].sort((one, other) => compareTexts(one.task, other.task));
  return {
    samples,
    summaries: found.filter(({ kind }) => kind === 'results'),
    superseded: found.filter((one) => one.kind === 'samples' && !samples.includes(one)),
  };
}

const compareTexts = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0);
