/**
 * A log as long as it comes within `withinMs`; then, with a line that says so, its end, which `lastLines` gives: a log that is
 * too long for its time must not lose what was written last. Where there is no other way to the end, the reading goes on.
 */
export async function* timeLimitedLog(
  source: (signal: AbortSignal) => AsyncIterable<Uint8Array>,
  options: {
    readonly withinMs: number;
    /** `undefined`: the platform can't tell. */
    readonly lastLines: () => Promise<readonly string[] | undefined>;
    readonly signal: AbortSignal;
  },
): AsyncGenerator<Uint8Array, void, undefined> {
  const given = new AbortController();
  const end = (): void => given.abort();
  options.signal.addEventListener('abort', end, { once: true });
  const iterator = source(AbortSignal.any([options.signal, given.signal]))[Symbol.asyncIterator]();
  let phase: 'in time' | 'late' | 'reading on' = 'in time';
  let wake = (): void => undefined;
  const timer = setTimeout(() => {
    phase = 'late';
    wake();
  }, options.withinMs);
  // A promise of each step's own: one that outlives the steps would keep all that they were raced with.
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
        if (step.done) return;
        yield step.value;
        continue;
      }
      const lines = await options.lastLines();
      if (lines !== undefined) {
        next.catch(() => undefined);
        const seconds = Math.round(options.withinMs / 1000);
        const said = `[evalsaga: the log did not come whole within ${seconds} s: these are its last ${lines.length} lines]`;
        yield Buffer.from(`\n${[said, ...lines].join('\n')}\n`);
        return;
      }
      phase = 'reading on';
      const rest = await next;
      if (rest.done) return;
      yield rest.value;
    }
  } finally {
    clearTimeout(timer);
    options.signal.removeEventListener('abort', end);
    given.abort();
    // Not awaited: a source that waits for its next piece only returns when that comes.
    void iterator.return?.()?.catch(() => undefined);
  }
}
