/** Resolves when the process is asked to end. */
export async function untilSignalled(): Promise<void> {
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
}

/** npm passes a Ctrl-C on that the terminal has sent us already: signals this close to each other are one key press. */
const SAME_PRESS_MS = 400;

export interface Interrupts {
  /** Stops listening: Ctrl-C ends the process again. */
  stop(): void;
}

/** Calls `first`, then `second`, as the user presses Ctrl-C; a held key or a repeated delivery counts once. */
export function onInterrupts({ first, second }: { first: () => void; second: () => void }): Interrupts {
  let presses = 0;
  let last = -Infinity;
  const listener = (): void => {
    const now = performance.now();
    const isRepeat = now - last < SAME_PRESS_MS;
    last = now;
    if (isRepeat) return;
    presses += 1;
    if (presses === 1) first();
    else second();
  };
  process.on('SIGINT', listener);
  return { stop: () => void process.off('SIGINT', listener) };
}
