import { readHarnessSummary, type HarnessSummary } from '../../results/samples/harness-summary';
import { harnessFiles, type HarnessFile } from '../../results/samples/sample-files';
import type { ItemSource, ScoreEvidence, Setting } from './evidence';
import { harnessItems } from './harness-items';
import { pathsIn, scoresIn } from './harness-scores';
import { settingsIn } from './harness-settings';

/** What lm-evaluation-harness left below one folder: of one run of it, or of several on different tasks. */
export interface HarnessEvidence {
  readonly scores: readonly ScoreEvidence[];
  readonly items: readonly ItemSource[];
  readonly settings: readonly Setting[];
  /** Names of the models in the summaries. */
  readonly models: readonly string[];
  readonly notes: readonly string[];
}

/** Returns `undefined` if there are neither summaries nor samples. Rejects only with errors of the file system. */
export async function readHarness(folder: string): Promise<HarnessEvidence | undefined> {
  const { samples, summaries, superseded } = await harnessFiles(folder);
  if (samples.length === 0 && summaries.length === 0) return undefined;
  const read = await Promise.all(summaries.map((file) => readHarnessSummary(file)));
  const newestFirst = read.flatMap((one) => (one.kind === 'read' ? [one.summary] : [])).reverse();
  const taken = withoutOlder(newestFirst);
  const paths = new Map(taken.flatMap(({ summary }) => [...pathsIn(summary)]));
  return {
    scores: taken.flatMap(({ summary, tasks }) =>
      scoresIn(summary).filter((score) => tasks.has(score.path.at(-1) ?? '')),
    ),
    items: samples.map((file) => itemsOf(file, paths, taken)),
    settings: taken.flatMap(({ summary, tasks }) =>
      settingsIn(summary).filter(({ of }) => of === null || tasks.has(of)),
    ),
    models: [...new Set(taken.flatMap(({ summary }) => summary.model_name ?? []))],
    notes: [
      ...read.flatMap((one) => (one.kind === 'unreadable' ? [`${one.reason}: its scores are left out`] : [])),
      ...(superseded.length === 0
        ? []
        : [
            `${superseded.length} older sample file${superseded.length === 1 ? '' : 's'} of tasks that were evaluated again ignored`,
          ]),
      ...(summaries.length === 0 ? [`no results_*.json below ${folder}: scores are those of the samples`] : []),
    ],
  };
}

interface Taken {
  readonly summary: HarnessSummary;
  /** Tasks and groups whose scores this summary, the newest with them, gives. */
  readonly tasks: ReadonlySet<string>;
}

function withoutOlder(newestFirst: readonly HarnessSummary[]): readonly Taken[] {
  const seen = new Set<string>();
  return newestFirst.flatMap((summary): Taken[] => {
    const names = Object.keys({ ...summary.groups, ...summary.results });
    const tasks = new Set(names.filter((name) => !seen.has(name)));
    for (const name of tasks) seen.add(name);
    return tasks.size === 0 ? [] : [{ summary, tasks }];
  });
}

function itemsOf(
  file: HarnessFile,
  paths: ReadonlyMap<string, readonly string[]>,
  taken: readonly Taken[],
): ItemSource {
  const own = taken.find(({ tasks }) => tasks.has(file.task))?.summary;
  return harnessItems(file, paths.get(file.task) ?? [file.task], own);
}
