import { condition } from '@temporalio/workflow';

/** Bytes of child inputs per workflow task: a completion over gRPC's 4 MiB limit would be rejected on every retry. */
const maxBytesAtOnce = 1_000_000;

/** Limits how many children start at once, so that their inputs fit into one workflow task completion. */
export class StartWindow {
  private readonly width: number;
  private starting = 0;

  /** `largestBytes`: of one child's input. */
  constructor(largestBytes: number) {
    this.width = Math.max(1, Math.floor(maxBytesAtOnce / largestBytes));
  }

  async during<T>(start: () => Promise<T>): Promise<T> {
    // All waiters wake at once, so each checks again.
    while (this.starting >= this.width) await condition(() => this.starting < this.width);
    this.starting += 1;
    try {
      return await start();
    } finally {
      this.starting -= 1;
    }
  }
}
