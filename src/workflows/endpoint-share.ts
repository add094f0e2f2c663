import {
  CancellationScope,
  condition,
  getExternalWorkflowHandle,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { heldBy, outstanding, quotaWorkflowId, waitWords, type Claim, type Grant } from '../contract/endpoint-quota';
import type { RunHeader } from '../contract/inputs';
import { quotaClaim, quotaGrant } from '../contract/messages';
import type { TaskPlan } from '../contract/plan';
import { ownerIn } from '../contract/owner';
import { changeWithFreshBudgets } from './activity-groups';

/** Milliseconds until a run that waits says again what it wants; doubles up to the longest. */
const repeat = { firstMs: 60_000, longestMs: 600_000 } as const;

export interface ShareOptions {
  readonly header: RunHeader;
  /** How many tasks the run has. */
  readonly tasks: number;
  /** Called with the reason while the run waits; `null`: it has what it wanted. */
  readonly onWait: (message: string | null) => void;
}

/** Returns how many of the tasks have an endpoint of their own. */
export const countOwn = (tasks: readonly TaskPlan[]): number =>
  tasks.filter(({ endpointName }) => endpointName !== null).length;

/** A run's part of its task queue's endpoints. Numbers as in `Claim`. */
export class EndpointShare {
  private account = { wanted: 0, granted: 0, returned: 0 };
  /** Tasks that have not ended. */
  private remaining: number;
  private readonly isWhole: boolean;
  private isOver = false;

  constructor(private readonly options: ShareOptions) {
    this.isWhole = options.header.startPolicy === 'all_ready';
    this.remaining = options.tasks;
    setHandler(quotaGrant, (grant?: Partial<Grant>) => {
      if (typeof grant?.granted === 'number') this.hear(grant as Grant);
    });
  }

  /** Endpoints that the run may have now. */
  get held(): number {
    return heldBy(this.account);
  }

  /** Asks for so many more endpoints, and resolves once the run may have them all. */
  async acquire(count: number): Promise<void> {
    if (count === 0) return;
    const goal = this.account.granted + count;
    this.account = { ...this.account, wanted: goal };
    await this.ask(() => this.account.granted >= goal);
  }

  /** Asks for so many endpoints, which come as others give theirs back: see `held`. Resolves when no more are wanted. */
  async grow(count: number): Promise<void> {
    this.account = { ...this.account, wanted: this.account.granted + count };
    await this.ask(() => outstanding(this.account) === 0);
  }

  /** Gives back what the run no longer needs: a task has ended, which `hadOwn` endpoint, and `remaining` have not. */
  ended({ remaining, hadOwn }: { readonly remaining: number; readonly hadOwn: boolean }): void {
    this.remaining = remaining;
    const { account } = this;
    if (this.isWhole) {
      if (!hadOwn) return;
      this.account = { ...account, returned: Math.min(account.granted, account.returned + 1) };
      return this.tell();
    }
    this.shrink();
    if (this.account.returned !== account.returned || this.account.wanted !== account.wanted) this.tell();
  }

  /** Gives everything back: nothing of the run is left. */
  async close(): Promise<void> {
    this.isOver = true;
    await CancellationScope.nonCancellable(() => this.signal());
  }

  private hear(grant: Grant): void {
    this.account = { ...this.account, granted: Math.max(this.account.granted, grant.granted) };
    // Granted while tasks ended that would have needed it.
    if (!this.isWhole && this.held > this.remaining) this.ended({ remaining: this.remaining, hadOwn: true });
    const open = outstanding(this.account);
    this.options.onWait(open === 0 ? null : waitWords(grant, this.isWhole ? open : 1));
  }

  /** A run that takes endpoints one by one keeps as many as it has tasks left. */
  private shrink(): void {
    const { granted, wanted, returned } = this.account;
    const excess = Math.max(0, this.held - this.remaining);
    const needed = granted + Math.max(0, this.remaining - this.held);
    this.account = { granted, returned: returned + excess, wanted: Math.min(wanted, needed) };
  }

  /** Says what the run wants until it has it. Repeated, should the quota's workflow have been terminated meanwhile. */
  private async ask(isDone: () => boolean): Promise<void> {
    const { header } = this.options;
    const { taskQueue } = workflowInfo();
    for (let pauseMs: number = repeat.firstMs; ; pauseMs = Math.min(pauseMs * 2, repeat.longestMs)) {
      await changeWithFreshBudgets('ask for endpoints of the quota', (activities) =>
        activities.claimEndpoints({ ...ownerIn(header, 0), claim: this.claim, taskQueue }),
      );
      if (await condition(isDone, pauseMs)) return;
    }
  }

  private get claim(): Claim {
    const { header, tasks } = this.options;
    const { invocation } = header;
    const over = this.isOver ? { isOver: true as const } : {};
    return { invocation, runId: workflowInfo().runId, tasks, isWhole: this.isWhole, ...this.account, ...over };
  }

  private tell(): void {
    void CancellationScope.nonCancellable(() => this.signal());
  }

  private async signal(): Promise<void> {
    const { taskQueue } = workflowInfo();
    try {
      await getExternalWorkflowHandle(quotaWorkflowId(taskQueue)).signal(quotaClaim, this.claim);
    } catch {
      // There is no quota any more: nobody else has a claim.
    }
  }
}
