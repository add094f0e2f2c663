import { unpack, type Packed } from './packed';
import { pendingTask, type RunSnapshot, type TaskOutcome, type TaskSnapshot } from './state';

/** Tasks as a workflow sends them: many are packed, and `tasks` is empty. */
export interface SentTasks {
  readonly tasks: readonly TaskSnapshot[];
  readonly packed?: Packed<TaskSnapshot>;
}

/** A run's snapshot as its workflow sends it. */
export interface SentSnapshot extends RunSnapshot {
  readonly packed?: Packed<TaskSnapshot>;
  /** Of a closed run: its tasks are in the results of its batches. `tasks` or `packed` has those that they don't have, or have otherwise. */
  readonly inBatches?: TasksInBatches;
}

/** Where the tasks of a closed run are. `left` and `kept` of its snapshot then lack what is said of a task. */
export interface TasksInBatches {
  /** How every task ended, in their order: `s`, `f`, `c`, or `-` for none. Readable even where a batch is not. */
  readonly outcomes: string;
  /** Batches whose results are there, with Temporal's ids of their executions. */
  readonly batches: readonly { readonly batch: number; readonly runId: string }[];
}

const outcomeOf: Readonly<Record<string, TaskOutcome>> = { s: 'succeeded', f: 'failed', c: 'cancelled' };

/** Writes `TasksInBatches.outcomes`. Pure. */
export const outcomesText = (tasks: readonly Pick<TaskSnapshot, 'outcome'>[]): string =>
  tasks.map(({ outcome }) => outcome?.[0] ?? '-').join('');

/** Returns the tasks. Pure. */
export const tasksIn = ({ tasks, packed }: SentTasks): readonly TaskSnapshot[] =>
  packed === undefined ? tasks : unpack(packed);

/** Returns the snapshot with all its tasks, if they are not in batches. Pure. */
export function wholeSnapshot({ packed, inBatches: _, ...snapshot }: SentSnapshot): RunSnapshot {
  return packed === undefined ? snapshot : { ...snapshot, tasks: unpack(packed) };
}

/** What a batch's result said; `unread`: why it can't be read. */
export type ReadBatch = SentTasks | { readonly unread: string };

/**
 * Puts the snapshot of a closed run together from its own result and those of its batches, in the order of `inBatches.batches`. A task
 * that is in no readable result keeps its outcome, and its message says where the rest is. Pure.
 */
export function joinedSnapshot(sent: SentSnapshot, read: readonly ReadBatch[]): RunSnapshot {
  const { inBatches } = sent;
  const own = wholeSnapshot(sent);
  if (inBatches === undefined) return own;
  const found = new Map<number, TaskSnapshot>();
  for (const batch of read) if (!('unread' in batch)) for (const task of tasksIn(batch)) found.set(task.index, task);
  for (const task of own.tasks) found.set(task.index, task);
  const reasons = read.flatMap((batch) => ('unread' in batch ? [batch.unread] : []));
  const tasks = [...inBatches.outcomes].map((letter, index) => found.get(index) ?? unreadTask(index, letter, reasons));
  const parts = [...tasks, ...(own.shared ?? [])];
  return {
    ...own,
    tasks,
    left: [...parts.flatMap(({ left }) => left), ...own.left],
    kept: [...tasks.flatMap(({ kept }) => kept), ...own.kept],
  };
}

function unreadTask(index: number, letter: string, reasons: readonly string[]): TaskSnapshot {
  const message = `more about this task is in the result of its batch, which can't be read: ${[...new Set(reasons)].join('; ')}`;
  const unknown = pendingTask({ index, name: `task ${index}`, endpointName: null });
  return { ...unknown, phase: 'done', outcome: outcomeOf[letter] ?? null, message };
}
