import Table from 'cli-table3';
import { metricsLeftOut, type Metrics, type RunSnapshot } from '../contract/state';
import { harmlessLine, shortened } from './terminal-text';

/** The scores of a run, one row per task and metric; standard errors beside their metric. Pure. `''`: there are none. */
export function scoresTable(snapshot: Pick<RunSnapshot, 'tasks'>, width = 100): string {
  const table = new Table({
    head: ['#', 'Task', 'Metric', 'Value', '± stderr'],
    colAligns: ['right', 'left', 'left', 'right', 'right'],
    style: { head: [], border: [] },
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
  });
  let rows = 0;
  for (const { index, name, metrics, partial } of snapshot.tasks) {
    for (const [metric, value, error] of scoreRows(metrics)) {
      const fit = Math.max(16, Math.floor((width - 40) / 2));
      table.push([
        String(index),
        `${shortened(name, fit)}${partial ? ' (partial)' : ''}`,
        shortened(metric, fit),
        value,
        error,
      ]);
      rows += 1;
    }
  }
  return rows === 0 ? '' : table.toString();
}

/** What can't be seen from a table: that scores are missing in it, or are of some samples only. Pure. */
export function scoresCaveats({ tasks }: Pick<RunSnapshot, 'tasks'>): string[] {
  return tasks.flatMap((task) => {
    const { index, metrics, metricsTotal, outputDir, partial } = task;
    const file = outputDir === null ? 'its results.yml' : `${harmlessLine(outputDir)}/results.yml`;
    const shown = Object.keys(metrics).length;
    const leftOut = metricsLeftOut(task) ?? 0;
    return [
      ...(partial ? [`scores of task ${index} are partial: its job was interrupted`] : []),
      ...(leftOut > 0
        ? [`task ${index} has ${metricsTotal} metrics, of which ${shown} are shown: all are in ${file}`]
        : []),
    ];
  });
}

/** `[metric, value, standard error or '']`, in the order of the results. */
export function scoreRows(metrics: Metrics): [string, string, string][] {
  const names = Object.keys(metrics);
  const known = new Set(names);
  const errors = new Map(names.flatMap((name) => (isError(name) ? [[subjectOf(name), name] as const] : [])));
  return names.flatMap((name): [string, string, string][] => {
    const error = errors.get(name);
    if (isError(name) && known.has(subjectOf(name))) return [];
    return [[name, score(metrics[name]), error === undefined ? '' : score(metrics[error])]];
  });
}

const isError = (name: string): boolean => /(?:^|[._,/-])std_?err(?:$|[._,/-])/.test(name);

/** `acc_stderr` → `acc`, `hellaswag.acc.stderr` → `hellaswag.acc`. */
const subjectOf = (name: string): string => name.replace(/[._,/-]?std_?err/, '');

function score(value: number | string | undefined): string {
  if (typeof value !== 'number') return shortened(String(value ?? ''), 16);
  return Number.isInteger(value) ? String(value) : value.toFixed(4);
}
