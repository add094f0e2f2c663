import { mostTasksWithoutBatches, tasksPerBatch } from './identity';
import type { RunInput } from './inputs/run';
import { pack, unpack, type Row } from './packed';
import type { RunPlan } from './plan';

/** How the plan of a run becomes the arguments of its workflow, and back. Pure. */

/** The first argument, and rows of its pattern. */
export type RunArguments = readonly [RunInput, ...(readonly Row[])[]];

/** Characters of JSON in one argument, beyond which the tasks are packed; and of one part of the rows. */
const mostAtOnce = 48_000;

/** With the batch that begins then, twice as many are about to begin: as many as two cores work off while their news is on its way. */
const mostBeginning = tasksPerBatch;

interface RunOptions extends Pick<RunInput, 'searchAttributes' | 'preflight'> {
  /** Default: as the number of tasks demands. */
  readonly isBatched?: boolean;
}

/** Returns the arguments for a run with this plan: the plan as it is if it is small, else packed. */
export function runArguments(plan: RunPlan, { searchAttributes, preflight, isBatched }: RunOptions): RunArguments {
  const inBatches = isBatched ?? plan.tasks.length > mostTasksWithoutBatches;
  const input = { searchAttributes, course: 'quiet', ...(preflight ? { preflight } : {}) } as const;
  const isSmall = !inBatches && JSON.stringify(plan).length <= mostAtOnce;
  if (isSmall || plan.tasks.length === 0) return [{ plan, ...input }];
  const { pattern, rows } = pack(plan.tasks);
  const batched = inBatches ? ({ isBatched: true, keepsResultsInBatches: true, mostBeginning } as const) : {};
  const first = { plan: { ...plan, tasks: [] }, pattern, ...batched, ...input };
  return [first, ...inParts(rows)];
}

/** Returns the plan in a run's arguments. */
export function planIn([input, ...parts]: RunArguments): RunPlan {
  if (input.pattern === undefined) return input.plan;
  return { ...input.plan, tasks: unpack({ pattern: input.pattern, rows: parts.flat() }) };
}

function inParts(rows: readonly Row[]): Row[][] {
  const parts: Row[][] = [];
  let room = 0;
  for (const row of rows) {
    const size = JSON.stringify(row).length;
    if (room < size) {
      parts.push([]);
      room = mostAtOnce;
    }
    parts.at(-1)?.push(row);
    room -= size;
  }
  return parts;
}
