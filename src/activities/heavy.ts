/** Limits how much work that holds memory, files or connections runs at once in a worker. Waits are not limited here. */

/** Runs `work`, once fewer than the maximum are running. */
export type Lane = <T>(work: () => Promise<T>) => Promise<T>;

/** Returns a lane in which at most `most` pieces of work run at once; they start in the order of arrival. */
export function createLane(most: number): Lane {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (work) => {
    if (running >= most) await new Promise<void>((resolve) => waiting.push(resolve));
    else running += 1;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
    }
  };
}

/** Limits the result folders that a worker fetches at once. */
export const transfers = createLane(20);
/** Limits the logs that a worker fetches at once. */
export const logTransfers = createLane(50);
