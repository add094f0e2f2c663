import { unpack, type Packed } from './packed';
import type { RunSnapshot, TaskSnapshot } from './state';

/** A run's snapshot as its workflow sends it. If it has many tasks, these are packed, and `tasks` is empty. */
export interface SentSnapshot extends RunSnapshot {
  readonly packed?: Packed<TaskSnapshot>;
}

/** Returns the snapshot with all its tasks. Pure. */
export function wholeSnapshot({ packed, ...snapshot }: SentSnapshot): RunSnapshot {
  return packed === undefined ? snapshot : { ...snapshot, tasks: unpack(packed) };
}
