/** Limits how much work that holds memory, files or connections runs at once in a worker. Waits are not limited here. */

/** Runs `work` of a run once it is that run's turn. */
export type Lane = <T>(run: string, work: () => Promise<T>) => Promise<T>;

/**
 * Returns a lane in which at most `most` pieces of work run at once. Runs take turns, so that one with few tasks doesn't wait for all
 * tasks of a large one; the work of one run starts in the order of its arrival.
 */
export function createLane(most: number): Lane {
  /** By run; the first one is next. */
  const queues = new Map<string, (() => void)[]>();
  let running = 0;

  const queue = (run: string): Promise<void> =>
    new Promise((resolve) => queues.set(run, [...(queues.get(run) ?? []), resolve]));

  /** Gives the place of work that has ended to the next run. */
  const pass = (): void => {
    const [next] = queues;
    if (next === undefined) {
      running -= 1;
      return;
    }
    const [run, [first, ...others]] = next;
    queues.delete(run);
    if (others.length > 0) queues.set(run, others);
    first?.();
  };

  return async (run, work) => {
    if (running >= most) await queue(run);
    else running += 1;
    try {
      return await work();
    } finally {
      pass();
    }
  };
}

/** Limits the result folders that a worker fetches at once. */
export const transfers = createLane(20);
/** Limits the logs that a worker fetches at once. */
export const logTransfers = createLane(50);
