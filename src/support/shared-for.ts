/**
 * Returns a function that reads the value of a key at most once per `ms` milliseconds: callers in between share it, also while it is being
 * read. A failure is shared only by those who wait for it.
 */
export function sharedFor<T>(ms: number, read: (key: string) => Promise<T>): (key: string) => Promise<T> {
  const known = new Map<string, { readonly untilMs: number; readonly value: Promise<T> }>();
  return (key) => {
    const nowMs = performance.now();
    const recent = known.get(key);
    if (recent && nowMs < recent.untilMs) return recent.value;
    // Bounds memory: what is forgotten is only read once more.
    if (known.size > 1_000) known.clear();
    const reading = { untilMs: nowMs + ms, value: read(key) };
    known.set(key, reading);
    reading.value.catch(() => {
      if (known.get(key) === reading) known.delete(key);
    });
    return reading.value;
  };
}
