/**
 * Runs `work` for all items, `lanes` of them at a time, and gives its results in their order. After a failure no more are
 * begun; it rejects with the first one once those under way have ended.
 */
export async function inLanes<T, R>(
  items: readonly T[],
  lanes: number,
  work: (item: T) => Promise<R>,
): Promise<readonly R[]> {
  const results: R[] = [];
  const queue = [...items.entries()];
  const lane = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [at, item] = next;
      try {
        results[at] = await work(item);
      } catch (error) {
        queue.length = 0;
        throw error;
      }
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: Math.min(lanes, items.length) }, lane));
  const broken = ended.find((one) => one.status === 'rejected');
  if (broken) throw broken.reason;
  return results;
}
