import { ApplicationFailure, condition, setHandler } from '@temporalio/workflow';
import { failureTypes } from '../contract/failure-types';
import { sharedModelOf } from '../contract/parts';
import { sharedEndpointLost, startJob, type SharedUrls } from '../contract/messages';
import type { TaskPlan } from '../contract/plan';
import type { TaskError } from '../contract/state';
import { guardedBy } from './deadline';

/** What a task's parent tells it: that its job may start, where its shared endpoints are, and that one of them is lost. */
export class SharedLinks {
  private opened = false;
  private urls: SharedUrls = {};
  private loss: TaskError | undefined;

  constructor(private readonly task: TaskPlan) {
    setHandler(startJob, (urls?: SharedUrls) => {
      // Signals can be sent by hand with any payload or none.
      if (typeof urls === 'object' && urls !== null) this.urls = urls;
      this.opened = true;
    });
    setHandler(sharedEndpointLost, (error?: Partial<TaskError>) => {
      const { type, message } = error ?? {};
      if (typeof type === 'string' && typeof message === 'string') this.loss ??= { type, message };
    });
  }

  readonly open = (): boolean => this.opened;

  /** The job's variables with request URLs of shared endpoints; `undefined`: the task uses none. */
  get variables(): Readonly<Record<string, string>> | undefined {
    const { uses } = this.task;
    if (uses === undefined) return undefined;
    return Object.fromEntries(
      uses.flatMap(({ endpoint, variables }) => {
        const url = this.urls[endpoint];
        return url === undefined
          ? []
          : Object.entries(variables).map(([name, path]) => [name, `${url}${path}`] as const);
      }),
    );
  }

  /** The request URL of the shared endpoint that serves the task's model, once the job may start. */
  get modelUrl(): string {
    const use = sharedModelOf(this.task);
    const url = use && this.urls[use.endpoint];
    if (url === undefined)
      throw ApplicationFailure.nonRetryable(
        'the task may start its job, but was not told where its shared endpoint is',
        failureTypes.sharedEndpointFailed,
      );
    return `${url}${this.task.endpointPath}`;
  }

  /** Settles as `work` does, unless a shared endpoint of the task is lost before. */
  async guard<T>(work: () => Promise<T>): Promise<T> {
    if (this.task.uses === undefined) return work();
    return guardedBy(work, async () => {
      await condition(() => this.loss !== undefined);
      const { type, message } = this.loss ?? { type: 'Error', message: 'a shared endpoint is lost' };
      throw ApplicationFailure.nonRetryable(message, type);
    });
  }
}
