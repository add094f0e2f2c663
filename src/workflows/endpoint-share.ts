import {
  CancellationScope,
  condition,
  getExternalWorkflowHandle,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { needsEndpoint, sharedEndpointsOf, wavesOf } from '../contract/endpoint-needs';
import {
  heldBy,
  leastOf,
  outstanding,
  quotaWorkflowId,
  waitWords,
  type Claim,
  type Grant,
} from '../contract/endpoint-quota';
import type { RunHeader } from '../contract/inputs/run';
import { quotaClaim, quotaGrant } from '../contract/messages';
import { ownerIn } from '../contract/owner';
import type { SharedEndpointPlan, TaskPlan } from '../contract/plan';
import { claimIn, closed, emptyShare, freeIn, hasBegun, settled, withGrant, type Share } from '../contract/quota-share';
import type { LeftResource } from '../contract/state';
import { changeWithFreshBudgets } from './activity-groups';

/** Milliseconds until a run that waits says again what it wants; doubles up to the longest. */
const repeat = { firstMs: 60_000, longestMs: 600_000 } as const;

export interface ShareOptions {
  readonly header: RunHeader;
  readonly tasks: readonly TaskPlan[];
  readonly shared: readonly SharedEndpointPlan[];
  /** Called with the reason while the run waits; `null`: it has what it wanted. */
  readonly onWait: (message: string | null) => void;
}

/** A run's part of its task queue's endpoints: what it asks for, which of its tasks may begin, and what it gives back. */
export class EndpointShare {
  private share: Share;
  /** Tasks with an endpoint of their own that have not ended, and those of them that have begun. */
  private readonly open: Set<number>;
  private readonly begun = new Set<number>();
  private readonly width: number;
  /** With a barrier: the endpoints of each wave, and the tasks of the current one. */
  private readonly waves: readonly number[];
  private wave: { readonly number: number; readonly first: number; readonly end: number };
  private isOver = false;
  private isTelling = false;

  constructor(private readonly options: ShareOptions) {
    const { header, tasks, shared, onWait } = options;
    this.open = new Set(tasks.filter(needsEndpoint).map(({ index }) => index));
    this.width = header.maxParallelEndpoints ?? tasks.length;
    this.waves = wavesOf(tasks, this.width);
    this.wave = { number: 0, first: 0, end: this.width };
    this.share = emptyShare({
      serving: sharedEndpointsOf({ sharedEndpoints: shared }),
      isWhole: header.startPolicy === 'all_ready',
    });
    setHandler(quotaGrant, (grant?: Partial<Grant>) => {
      if (!isGrant(grant)) return;
      this.change(withGrant(this.share, grant));
      const { share } = this;
      const held = heldBy(share);
      onWait(outstanding(share) === 0 ? null : waitWords(grant, { held, least: leastOf(claimIn(share)) }));
    });
    this.share = this.settle();
  }

  /** How many tasks more may begin that have an endpoint of their own. */
  get free(): number {
    return freeIn(this.share);
  }

  mayBegin(index: number): boolean {
    return this.free > 0 || !this.open.has(index);
  }

  /** A task begins. */
  begin(index: number): void {
    if (!this.open.has(index)) return;
    this.begun.add(index);
    this.share = { ...this.share, taken: this.begun.size };
  }

  /** Resolves once the run has what it can't do without: its shared endpoints, with those of the first wave or a first task. */
  async acquire(): Promise<void> {
    await this.ask(() => hasBegun(this.share));
  }

  /** The same for the tasks of a wave, from `first` to before `end`. */
  async acquireWave(first: number, end: number): Promise<void> {
    this.wave = { number: Math.floor(first / this.width), first, end };
    this.share = this.settle();
    await this.acquire();
  }

  /**
   * Asks again for what the run wants besides, and has been told already, which comes as others give theirs back. Ends only when it is
   * cancelled.
   */
  async keepAsking(): Promise<void> {
    const hasAll = (): boolean => outstanding(this.share) === 0;
    for (let pauseMs: number = repeat.firstMs; ;) {
      await condition(() => !hasAll());
      if (await condition(hasAll, pauseMs)) continue;
      await this.claimAnew();
      pauseMs = Math.min(pauseMs * 2, repeat.longestMs);
    }
  }

  /** A task has ended: its endpoint is gone, or is among what was left. */
  ended(index: number, left: readonly LeftResource[]): void {
    if (!this.open.delete(index)) return;
    this.begun.delete(index);
    this.change(this.settle({ lost: [...this.share.lost, ...namesOf(left)] }));
  }

  /** The same for a shared endpoint. */
  sharedEnded(left: readonly LeftResource[]): void {
    const serving = Math.max(0, this.share.serving - 1);
    this.change(this.settle({ serving, lost: [...this.share.lost, ...namesOf(left)] }));
  }

  /** Gives everything back but what is left on the platform. */
  async close(): Promise<void> {
    this.isOver = true;
    this.share = closed(this.share);
    await CancellationScope.nonCancellable(() => this.tell());
  }

  private settle(change: Partial<Share> = {}): Share {
    const share = { ...this.share, ...change };
    return settled(this.share, { taken: this.begun.size, demand: this.demandOf(share), ...change });
  }

  private demandOf(share: Share): number {
    const { open, wave } = this;
    if (!share.isWhole) return Math.min(this.width, open.size);
    const now = [...open].filter((index) => index >= wave.first && index < wave.end).length;
    // It would hold its shared endpoints while it waited for those of the next wave, as others might do: so it keeps those of this one.
    return share.serving === 0 ? now : Math.max(now, ...this.waves.slice(wave.number + 1));
  }

  private change(share: Share): void {
    const { version } = this.share;
    this.share = share;
    if (share.version !== version) this.tellSoon();
  }

  /** Many tasks may end with the same news. */
  private tellSoon(): void {
    if (this.isTelling) return;
    this.isTelling = true;
    void CancellationScope.nonCancellable(async () => {
      await Promise.resolve();
      this.isTelling = false;
      if (!this.isOver) await this.tell();
    });
  }

  /** Says what the run wants until it has it. Repeated, should the quota's workflow have been terminated meanwhile. */
  private async ask(isDone: () => boolean): Promise<void> {
    for (let pauseMs: number = repeat.firstMs; !isDone(); pauseMs = Math.min(pauseMs * 2, repeat.longestMs)) {
      await this.claimAnew();
      await condition(isDone, pauseMs);
    }
  }

  private async claimAnew(): Promise<void> {
    const { taskQueue } = workflowInfo();
    await changeWithFreshBudgets('ask for endpoints of the quota', (activities) =>
      activities.claimEndpoints({ ...ownerIn(this.options.header, 0), claim: this.claim, taskQueue }),
    );
  }

  private get claim(): Claim {
    const { header, tasks, shared } = this.options;
    const { invocation, platform } = header;
    const over = this.isOver ? { isOver: true as const } : {};
    const { runId } = workflowInfo();
    return { invocation, runId, platform, tasks: tasks.length, shared: shared.length, ...claimIn(this.share), ...over };
  }

  private async tell(): Promise<void> {
    const { taskQueue } = workflowInfo();
    try {
      await getExternalWorkflowHandle(quotaWorkflowId(taskQueue)).signal(quotaClaim, this.claim);
    } catch {
      // Somebody has terminated the quota; the next that asks begins it anew.
    }
  }
}

const namesOf = (left: readonly LeftResource[]): readonly string[] =>
  left.filter(({ kind }) => kind === 'endpoint').map(({ name }) => name);

/** Signals can be sent by hand with any payload or none. */
const isGrant = (grant: Partial<Grant> | undefined): grant is Grant => {
  const { granted, due, limit, inUse, stranded, ahead, gone } = grant ?? {};
  const counts = [granted, due, inUse, stranded, ahead].every((count) => typeof count === 'number');
  return counts && Array.isArray(gone) && (limit === null || typeof limit === 'number');
};
