import { condition } from '@temporalio/workflow';
import type { RunHeader } from '../contract/inputs';
import type { TaskPlan } from '../contract/plan';

/** Bytes of children's inputs in one workflow task: a completion beyond gRPC's 4 MiB would be refused again and again. */
const maxBytesAtOnce = 1_000_000;

/** Starts children in so small groups that each group's inputs fit into one completion; the next begins when they are started. */
export class StartWindow {
  private readonly width: number;
  private starting = 0;

  constructor(header: RunHeader, tasks: readonly TaskPlan[]) {
    const largest = Math.max(0, ...tasks.map((task) => JSON.stringify(task).length));
    this.width = Math.max(1, Math.floor(maxBytesAtOnce / (JSON.stringify(header).length + largest)));
  }

  async during<T>(start: () => Promise<T>): Promise<T> {
    // All waiters wake at once: each looks again.
    while (this.starting >= this.width) await condition(() => this.starting < this.width);
    this.starting += 1;
    try {
      return await start();
    } finally {
      this.starting -= 1;
    }
  }
}
