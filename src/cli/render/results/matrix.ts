import Table from 'cli-table3';
import { nameInConfig } from '../../../contract/task-name';
import { valueText } from '../../../contract/metric';
import { harmlessLine } from '../../../support/terminal-text';
import { bare } from '../overview';
import type { RunDocument, TaskDocument } from '../run-document';

/** Scores of several runs beside each other: one line per task and metric, one column per run. Pure. */
export interface Matrix {
  /** Names of the runs: their models, with the id where models are equal. */
  readonly runs: readonly string[];
  readonly rows: readonly MatrixRow[];
}

export interface MatrixRow {
  readonly task: string;
  readonly metric: string;
  /** `0.3000 ± 0.1528` in the order of the runs; `''` where a run has no such score. */
  readonly cells: readonly string[];
}

export function matrixOf(runs: readonly RunDocument[]): Matrix {
  const rows = new Map<string, { task: string; metric: string; cells: string[] }>();
  for (const [at, { tasks }] of runs.entries()) {
    for (const { task, name } of numbered(tasks)) {
      for (const score of task.scores) {
        const key = JSON.stringify([name, score.name]);
        const row = rows.get(key) ?? { task: name, metric: harmlessLine(score.name), cells: runs.map(() => '') };
        rows.set(key, row);
        row.cells[at] =
          `${valueText(score.value)}${score.stderr === null ? '' : ` ± ${valueText(score.stderr)}`}${task.partial ? ' (partial)' : ''}`;
      }
    }
  }
  return { runs: runNames(runs), rows: [...rows.values()] };
}

/** Returns a run of several models as if each model had a run of its own; one of a single model as it is. */
export function byModel(run: RunDocument): readonly RunDocument[] {
  const models = [...new Set(run.tasks.flatMap(({ model }) => model ?? []))];
  if (models.length === 0) return [run];
  return models.map((model) => ({
    ...run,
    model,
    tasks: run.tasks.filter((task) => task.model === model).map((task) => ({ ...task, name: nameInConfig(task.name) })),
  }));
}

/** A run may have a task several times. */
function numbered(tasks: readonly TaskDocument[]): { task: TaskDocument; name: string }[] {
  const seen = new Map<string, number>();
  return tasks.map((task) => {
    const times = (seen.get(task.name) ?? 0) + 1;
    seen.set(task.name, times);
    return { task, name: harmlessLine(times === 1 ? task.name : `${task.name} (${times})`) };
  });
}

/** Returns a name for each run that no other has. */
export function runNames(runs: readonly Pick<RunDocument, 'model' | 'invocation'>[]): string[] {
  return runs.map(({ model, invocation }) => {
    const isAlone = runs.filter((run) => run.model === model).length === 1;
    return harmlessLine(isAlone ? model : `${model} (${invocation})`);
  });
}

/** `''` if no run has scores. */
export function matrixTable({ runs, rows }: Matrix): string {
  if (rows.length === 0) return '';
  const table = new Table({
    head: ['Task', 'Metric', ...runs],
    colAligns: ['left', 'left', ...runs.map(() => 'right' as const)],
    ...bare,
  });
  for (const { task, metric, cells } of rows) table.push([task, metric, ...cells]);
  return table.toString();
}
