import { CancellationScope } from '@temporalio/workflow';
import type { LeftResource } from '../contract/state';
import { describeError } from './failures';

/** A resource whose compensation failed; `type` is that failure's type. */
export interface Unfinished extends LeftResource {
  readonly type: string;
}

/** Undoes one step. Runs at most once, however often it is requested. */
export interface Compensation {
  /** Starts the compensation, or joins it if already running. Never rejects: what could not be undone is in `saga.left`. */
  run(): Promise<void>;
  /** Discards the compensation: the resource is kept on purpose, or was never created. */
  drop(): void;
}

/** A job as its compensation needs it. */
export interface CoveredJob {
  readonly compensation: Compensation;
  id: string | null;
  ended: boolean;
  lost: boolean;
  /** It is gone from the platform, and its log is saved. */
  readonly isGone?: true;
}

/**
 * The compensations of one workflow. Each is added BEFORE its step, because the step's outcome may stay unknown. All run in
 * a non-cancellable scope, and one that fails does not stop the others.
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

  /** Runs the compensations that have not run yet, newest first, and waits for all. */
  async compensate(): Promise<void> {
    for (const compensation of [...this.compensations].reverse()) await compensation.run();
  }

  /** Resources whose compensation ran and failed. */
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
