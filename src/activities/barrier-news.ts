import { setTimeout as sleep } from 'node:timers/promises';
import type { ReadyTask } from '../contract/messages';

/** Tells one barrier of Ready endpoints; rejects if it could not be told. */
export type TellReady = (tasks: readonly ReadyTask[]) => Promise<void>;

/** Tasks in one signal, at about 250 bytes each. */
const mostTasks = 150;

/** Milliseconds between two signals to a barrier, for each other one that is being told: each signal makes a barrier of a hundred tasks think. */
const pausePerOtherMs = 50;
const longestPauseMs = 1_000;

interface Waiting {
  readonly task: ReadyTask;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * Collects Ready endpoints while a signal to the same barrier is on its way, and for a moment more where many barriers are told:
 * endpoints that become Ready at the same time are told together, a single one at once.
 */
export class BarrierNews {
  private readonly waiting = new Map<string, Waiting[]>();

  /** Resolves once the barrier has been told. `barrier`: any key of it; `tell`: may be used for other tasks of the same barrier, too. */
  async tell(barrier: string, task: ReadyTask, tell: TellReady): Promise<void> {
    const others = this.waiting.get(barrier);
    const told = new Promise<void>((resolve, reject) => {
      const entry = { task, resolve, reject };
      if (others) others.push(entry);
      else this.waiting.set(barrier, [entry]);
    });
    if (!others) void this.send(barrier, tell);
    return told;
  }

  private async send(barrier: string, tell: TellReady): Promise<void> {
    for (;;) {
      const part = this.waiting.get(barrier)?.splice(0, mostTasks) ?? [];
      if (part.length === 0) break;
      try {
        await tell(part.map(({ task }) => task));
        for (const { resolve } of part) resolve();
      } catch (error) {
        for (const { reject } of part) reject(error);
      }
      const pauseMs = Math.min((this.waiting.size - 1) * pausePerOtherMs, longestPauseMs);
      if (pauseMs > 0) await sleep(pauseMs);
    }
    this.waiting.delete(barrier);
  }
}
