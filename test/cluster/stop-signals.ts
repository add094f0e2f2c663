/** Signals that ask a program to end: a terminal's Ctrl-C or hang-up, and `kill`. */
const asking = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
type Asking = (typeof asking)[number];

const exitCodes: Readonly<Record<Asking, number>> = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 };

export interface StopSignals {
  /** Aborts at the first of them; from then on they are ignored, because the end is under way. */
  readonly signal: AbortSignal;
  /** As shells count it; `undefined` while none has come. */
  readonly exitCode: () => number | undefined;
}

export function stopSignals(): StopSignals {
  const stop = new AbortController();
  let first: Asking | undefined;
  for (const name of asking)
    process.on(name, () => {
      first ??= name;
      stop.abort(new Error(`stopped by ${name}`));
    });
  return { signal: stop.signal, exitCode: () => first && exitCodes[first] };
}
