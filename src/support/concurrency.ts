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
  let begun = 0;
  const lane = async (): Promise<void> => {
    while (begun < items.length) {
      const at = begun;
      begun += 1;
      try {
        results[at] = await work(items[at] as T);
      } catch (error) {
        begun = items.length;
        throw error;
      }
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: Math.min(lanes, items.length) }, lane));
  const broken = ended.find((one) => one.status === 'rejected');
  if (broken) throw broken.reason;
  return results;
}
