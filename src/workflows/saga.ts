import { CancellationScope } from '@temporalio/workflow';
import type { LeftResource } from '../contract/state';
import { describeError } from './failures';

/** `type` of the failure that ended its compensation. */
export interface Unfinished extends LeftResource {
  readonly type: string;
}

/** Undoes one step. Runs at most once, whoever asks for it. */
export interface Compensation {
  /** Starts it now, or joins the run under way. Never rejects: what could not be undone is in `saga.left`. */
  run(): Promise<void>;
  /** Gives it up: the resource is kept on purpose. */
  drop(): void;
}

/**
 * Compensations of one workflow. Each is added BEFORE its step, whose outcome may stay unknown; all run in a
 * non-cancellable scope; one that fails never stops the others.
 */
export class Saga {
  private readonly compensations: Compensation[] = [];
  private readonly unfinished: Unfinished[] = [];

  add(resource: Pick<LeftResource, 'kind' | 'name'>, undo: () => Promise<void>): Compensation {
    let running: Promise<void> | undefined;
    const compensation: Compensation = {
      run: () => (running ??= this.undoOne(resource, undo)),
      drop: () => {
        running ??= Promise.resolve();
      },
    };
    this.compensations.push(compensation);
    return compensation;
  }

  /** Runs what has not run yet, newest first, and waits for all. */
  async compensate(): Promise<void> {
    for (const compensation of [...this.compensations].reverse()) await compensation.run();
  }

  /** What is still there although its compensation ran. */
  get left(): readonly Unfinished[] {
    return this.unfinished;
  }

  private async undoOne(resource: Pick<LeftResource, 'kind' | 'name'>, undo: () => Promise<void>): Promise<void> {
    try {
      await CancellationScope.nonCancellable(undo);
    } catch (error) {
      const { type, message } = describeError(error);
      this.unfinished.push({ ...resource, type, reason: message });
    }
  }
}
