/** Bounds work that holds memory, files or connections: unlike waits, only so much of it may run at once in a worker. */

/** Runs `work`, after others where `most` are already running. */
export type Lane = <T>(work: () => Promise<T>) => Promise<T>;

/** Returns a lane in which at most `most` pieces of work run at once, in the order of their arrival. */
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

/** Result folders that a worker brings home at once. */
export const transfers = createLane(20);
/** Logs that a worker brings home at once. */
export const logTransfers = createLane(50);
