/** Resolves on SIGINT or SIGTERM. */
export async function untilSignalled(): Promise<void> {
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
}

/** npm forwards a Ctrl-C that the terminal has already sent to this process: signals this close together are one key press. */
const SAME_PRESS_MS = 400;

/** What Ctrl-C does: the first time, and again. */
export interface Presses {
  readonly first: () => void;
  readonly second: () => void;
}

export interface Interrupts {
  /** Whether Ctrl-C was pressed. */
  pressed(): boolean;
  /** Changes what Ctrl-C does. If it was already pressed, calls `first` at once, so that the press is not lost. */
  become(next: Presses): void;
  /** Stops listening: Ctrl-C ends the process again. */
  stop(): void;
}

/** Calls `first`, then `second`, as the user presses Ctrl-C; a held key or a repeated delivery counts once. */
export function onInterrupts(begin: Presses): Interrupts {
  let current = begin;
  let presses = 0;
  let last = -Infinity;
  const listener = (): void => {
    const now = performance.now();
    const isRepeat = now - last < SAME_PRESS_MS;
    last = now;
    if (isRepeat) return;
    presses += 1;
    if (presses === 1) current.first();
    else current.second();
  };
  process.on('SIGINT', listener);
  return {
    pressed: () => presses > 0,
    become(next) {
      current = next;
      if (presses > 0) next.first();
    },
    stop: () => void process.off('SIGINT', listener),
  };
}
