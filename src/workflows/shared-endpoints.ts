import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  CancellationScope,
  ChildWorkflowCancellationType,
  condition,
  isCancellation,
  ParentClosePolicy,
  startChild,
  type ChildWorkflowHandle,
} from '@temporalio/workflow';
import { plainWords } from '../contract/details';
import { failureTypes } from '../contract/failure-types';
import { sharedIndex, taskWorkflowId } from '../contract/identity';
import type { RunExecution, RunHeader } from '../contract/inputs/run';
import type { EndpointInput } from '../contract/inputs/task';
import { releaseEndpoint } from '../contract/messages';
import type { SharedEndpointPlan, TaskPlan } from '../contract/plan';
import type { TaskError, TaskSnapshot } from '../contract/state';
import { evaluationEndpoint } from './evaluation-endpoint';
import { describeError, snapshotOf } from './failures';
import type { RunProgress } from './run-progress';
import { SharedStates } from './shared-states';
import { endpointUnit } from './shared-unit';
import { endSpan, now } from './task-progress';
import { untilGone } from './task-starts';
import { TaskTeardown } from './task-teardown';

export interface SharedEndpointsOptions {
  readonly header: RunHeader;
  readonly plans: readonly SharedEndpointPlan[];
  readonly tasks: readonly TaskPlan[];
  readonly progress: RunProgress;
  readonly execution: RunExecution;
  /** Called once for each that has ended, gone or left behind. */
  readonly onEnded: (position: number) => void;
}

/** Runs the shared endpoints of a run, each as a child workflow, for as long as tasks use them. */
export class SharedEndpoints {
  readonly states: SharedStates;
  private readonly users: readonly (readonly number[])[];
  private isOver = false;

  constructor(private readonly options: SharedEndpointsOptions) {
    const { plans, tasks, progress } = options;
    this.states = new SharedStates(plans.map(() => ({ kind: 'starting' })));
    this.users = plans.map((_, position) =>
      tasks.filter(({ uses }) => uses?.some(({ endpoint }) => endpoint === position)).map(({ index }) => index),
    );
    progress.onShared = (position, snapshot) => this.hear(position, snapshot);
  }

  /** Runs all to their ends. Cancelling the scope cancels them. Never rejects: what is left is in their snapshots. */
  async run(): Promise<void> {
    await Promise.all(this.options.plans.map((plan, position) => this.drive(plan, position)));
  }

  /** Nobody uses them any more, whatever became of the tasks. */
  release(): void {
    this.isOver = true;
  }

  /** Ends those of a run that ended before it began. */
  endUnstarted(): void {
    for (const position of this.options.plans.keys()) {
      const snapshot = this.options.progress.shared.at(position);
      if (snapshot.outcome === null)
        this.options.progress.shared.end(position, { ...snapshot, ...ended(), outcome: 'cancelled' });
    }
  }

  private hear(position: number, { phase, outcome, endpointUrl, error }: TaskSnapshot): void {
    if (outcome !== null) return this.lose(position, error);
    if (phase === 'ready' && endpointUrl !== null) this.states.set(position, { kind: 'ready', url: endpointUrl });
  }

  /** Tells the tasks that use it. Without an error it was released, or cancelled as they are. */
  private lose(position: number, error: TaskError | null): void {
    if (error === null || this.isUnused(position)) return;
    const message = `the shared endpoint ${this.nameOf(position)} failed: ${error.message}`;
    this.states.set(position, { kind: 'failed', error: { type: failureTypes.sharedEndpointFailed, message } });
  }

  private isUnused(position: number): boolean {
    const { progress } = this.options;
    return this.isOver || (this.users[position] ?? []).every((index) => isPastUse(progress.task(index)));
  }

  private async drive(plan: SharedEndpointPlan, position: number): Promise<void> {
    const { progress, onEnded } = this.options;
    const scope = CancellationScope.current();
    try {
      progress.shared.end(position, await this.runChild(plan, position));
    } catch (error) {
      // Its tasks hear of it, unless the run itself was cancelled, and they as well.
      if (isCancellation(error) && !scope.consideredCancelled) this.lose(position, cancelledAlone);
      await CancellationScope.nonCancellable(() => this.account(position, error));
    }
    if (plan.endpointName !== null) onEnded(position);
  }

  private async runChild(plan: SharedEndpointPlan, position: number): Promise<TaskSnapshot> {
    const child = await this.start(plan, position);
    const releasing = new CancellationScope();
    void releasing
      .run(async () => {
        await condition(() => this.isUnused(position));
        await child.signal(releaseEndpoint);
      })
      .catch(() => undefined);
    try {
      return await child.result();
    } finally {
      releasing.cancel();
    }
  }

  private async start(
    shared: SharedEndpointPlan,
    position: number,
  ): Promise<ChildWorkflowHandle<typeof evaluationEndpoint>> {
    const workflowId = taskWorkflowId(this.options.header.invocation, sharedIndex(position));
    for (;;) {
      try {
        return await startChild(evaluationEndpoint, {
          workflowId,
          args: [this.inputOf(position, shared)],
          parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
          cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
          staticSummary: plainWords(`Shared endpoint: ${shared.name}`),
        });
      } catch (error) {
        // Of a run that was reset.
        if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
        await untilGone(workflowId);
      }
    }
  }

  /** Records how it ended; tears down for one that ended without having done so. */
  private async account(position: number, error: unknown): Promise<void> {
    const { progress } = this.options;
    const reported = snapshotOf(error);
    const before = progress.shared.at(position);
    if (reported) {
      progress.shared.end(position, reported);
      return this.lose(position, reported.error);
    }
    if (isCancellation(error)) {
      const usage = before.usage && endSpan(before.usage, 'endpoint');
      // The last message of one that has reported its end says what became of its log; an earlier one is out of date.
      const last = before.phase === 'done' ? { message: before.message, endedAt: before.endedAt ?? now() } : {};
      return progress.shared.end(position, {
        ...before,
        ...ended(),
        ...last,
        outcome: 'cancelled',
        ...(usage ? { usage } : {}),
      });
    }
    const why = describeError(error);
    this.lose(position, why);
    progress.shared.change(position, { phase: 'tearing down', outcome: 'failed', error: why });
    const { left, message } = await this.tearDownFor(position);
    const { usage } = progress.shared.at(position);
    const isGone = !left.some(({ kind }) => kind === 'endpoint');
    progress.shared.end(position, {
      ...progress.shared.at(position),
      ...ended(),
      left,
      message,
      ...(usage && isGone ? { usage: endSpan(usage, 'endpoint') } : {}),
    });
  }

  private async tearDownFor(position: number): Promise<Pick<TaskSnapshot, 'left' | 'message'>> {
    const shared = this.options.plans[position];
    if (shared === undefined || shared.endpointName === null) return { left: [], message: null };
    const teardown = new TaskTeardown(endpointUnit(this.inputOf(position, shared)));
    teardown.coverEndpoint(shared.endpointName);
    const { left, notes } = await teardown.run();
    return { left, message: notes.join(' ') || null };
  }

  private inputOf(position: number, shared: SharedEndpointPlan): EndpointInput {
    const { header, execution } = this.options;
    return { run: header, position, shared, execution };
  }

  private nameOf(position: number): string {
    const { name, endpointName } = this.options.plans[position] ?? {};
    return endpointName ? `${name ?? ''} (${endpointName})` : (name ?? '');
  }
}

const cancelledAlone: TaskError = { type: 'Cancelled', message: 'its workflow was cancelled' };

/** Whether the task's job has ended, or never will begin. */
const isPastUse = ({ outcome }: TaskSnapshot): boolean => outcome !== null;

const ended = () => ({ phase: 'done', message: null, endedAt: now() }) as const;
