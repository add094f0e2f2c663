/** What a source returns whose last piece does not follow the one before: the log between them did not come in time. */
export const cut = 'cut';

/**
 * Yields a log as far as it arrives within `withinMs`; then, in one piece, a line that says so, and its end as `lastLines` returns it,
 * because the last lines matter most, and returns `cut`. If there is no other way to the end, reading continues.
 */
export async function* timeLimitedLog(
  source: (signal: AbortSignal) => AsyncIterable<Uint8Array>,
  options: {
    readonly withinMs: number;
    /** Resolves to `undefined` if the platform can't provide them. */
    readonly lastLines: () => Promise<readonly string[] | undefined>;
    readonly signal: AbortSignal;
  },
): AsyncGenerator<Uint8Array, typeof cut | undefined, undefined> {
  const reading = new AbortController();
  const end = (): void => reading.abort();
  options.signal.addEventListener('abort', end, { once: true });
  const iterator = source(AbortSignal.any([options.signal, reading.signal]))[Symbol.asyncIterator]();
  let phase: 'in time' | 'late' | 'reading on' = 'in time';
  let wake = (): void => undefined;
  const timer = setTimeout(() => {
    phase = 'late';
    wake();
  }, options.withinMs);
  // A new promise for each step: a shared one would keep everything alive that it was raced with.
  const lateness = (): Promise<'late'> =>
    new Promise((resolve) => {
      wake = () => resolve('late');
      if (phase === 'late') wake();
    });
  try {
    for (;;) {
      const next = iterator.next();
      const step = await Promise.race([next, lateness()]);
      if (step !== 'late') {
        if (step.done) return undefined;
        yield step.value;
        continue;
      }
      const lines = await options.lastLines();
      if (lines !== undefined) {
        next.catch(() => undefined);
        const seconds = Math.round(options.withinMs / 1000);
        const notice = `[evalsaga: the log did not come whole within ${seconds} s: these are its last ${lines.length} lines]`;
        yield Buffer.from(`\n${[notice, ...lines].join('\n')}\n`);
        return cut;
      }
      phase = 'reading on';
      const rest = await next;
      if (rest.done) return undefined;
      yield rest.value;
    }
  } finally {
    clearTimeout(timer);
    options.signal.removeEventListener('abort', end);
    reading.abort();
    // Not awaited: a source that waits for its next piece returns only when that arrives.
    void iterator.return?.()?.catch(() => undefined);
  }
}
