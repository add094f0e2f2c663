import { outcomesText, tasksIn, type SentSnapshot, type SentTasks } from '../contract/sent-snapshot';
import type { RunSnapshot, TaskSnapshot } from '../contract/state';
import { fitRun, fitTasks } from './fitting';

/** The result of a closed run whose tasks are in the results of its batches: no payload then grows with the whole run. Pure. */

/** What a batch returned. */
export interface BatchResult {
  readonly batch: number;
  /** Temporal's id of its execution. */
  readonly runId: string;
  readonly sent: SentTasks;
}

/** Returns what the run itself has to say: everything but the tasks that its batches tell just so. */
export function besideBatches(whole: RunSnapshot, results: readonly BatchResult[]): SentSnapshot {
  const told = new Map(results.flatMap(({ sent }) => tasksIn(sent).map((task) => [task.index, task] as const)));
  const others = results.flatMap(({ sent }) => othersThan(sent, whole.tasks));
  const nowhere = whole.tasks.filter(({ index }) => !told.has(index));
  const tasks = [...others, ...nowhere].sort((one, other) => one.index - other.index);
  const parts = [...whole.tasks, ...(whole.shared ?? [])];
  const own = fitRun({
    ...whole,
    tasks,
    left: withoutThose(
      whole.left,
      parts.flatMap(({ left }) => left),
    ),
    kept: withoutThose(
      whole.kept,
      parts.flatMap(({ kept }) => kept),
    ),
  });
  const batches = results.map(({ batch, runId }) => ({ batch, runId }));
  return { ...own, inBatches: { outcomes: outcomesText(whole.tasks), batches } };
}

/** Returns the tasks of a batch that the run knows otherwise: it made up for what the batch could not do, or says why they were cancelled. */
function othersThan(sent: SentTasks, all: readonly TaskSnapshot[]): TaskSnapshot[] {
  const told = tasksIn(sent);
  const known = told.flatMap(({ index }) => all[index] ?? []);
  if (JSON.stringify(known) === JSON.stringify(told)) return [];
  // Shortened in the same way, if they had to be.
  const comparable = tasksIn(fitTasks(known));
  return known.filter((_, at) => JSON.stringify(comparable[at]) !== JSON.stringify(told[at]));
}

/** Returns what is not among `others`, which are the same objects or copies of them. */
function withoutThose<T>(all: readonly T[], others: readonly T[]): readonly T[] {
  const texts = new Set(others.map((one) => JSON.stringify(one)));
  return all.filter((one) => !texts.has(JSON.stringify(one)));
}
