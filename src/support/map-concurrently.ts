/**
 * Runs `work` for all items, at most `limit` of them at a time, and returns the results in the order of the items. After a
 * failure it starts no more; it rejects with the first error once those under way have ended.
 */
export async function mapConcurrently<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<R>,
): Promise<readonly R[]> {
  const results: R[] = [];
  let begun = 0;
  const takeItems = async (): Promise<void> => {
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
  const ended = await Promise.allSettled(Array.from({ length: Math.min(limit, items.length) }, takeItems));
  const failed = ended.find((one) => one.status === 'rejected');
  if (failed) throw failed.reason;
  return results;
}
