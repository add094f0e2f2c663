import {
  condition,
  continueAsNew,
  getExternalWorkflowHandle,
  setCurrentDetails,
  setHandler,
  setWorkflowOptions,
  workflowInfo,
} from '@temporalio/workflow';
import { cell } from '../contract/details';
import {
  grantOf,
  heldBy,
  inUse,
  noClaims,
  outstanding,
  waitingOf,
  withClaim,
  withGrants,
  withoutRuns,
  type Claim,
  type Grant,
  type QuotaState,
} from '../contract/endpoint-quota';
import { runWorkflowId } from '../contract/identity';
import { quotaClaim, quotaGrant, quotaStatus } from '../contract/messages';
import { tryOnce } from './activity-groups';

/** Milliseconds between two looks for runs that are over without having said so: while somebody waits, and while nobody does. */
const lookEveryMs = { waiting: 15_000, idle: 600_000 } as const;
/** Events after which the history begins anew. */
const mostEvents = 4_000;

/**
 * Shares the endpoints of a task queue among its runs, in the order in which they ask. Runs begin it with their first claim; it
 * ends when no run has one. What a run that was terminated had comes back once all of its tasks are over.
 */
export async function endpointQuota(state: QuotaState = noClaims): Promise<void> {
  const quota = new EndpointQuota(state);
  setHandler(quotaStatus, () => quota.state);
  setHandler(quotaClaim, (claim?: Partial<Claim>, limit?: number | null) => {
    if (isClaim(claim)) quota.take(claim, limit);
  });
  await condition(() => quota.isChanged);
  for (;;) {
    if (quota.isChanged) await quota.settle();
    if (!quota.isOpen) return;
    const waits = waitingOf(quota.state).length > 0;
    if (!(await condition(() => quota.isChanged, waits ? lookEveryMs.waiting : lookEveryMs.idle)))
      await quota.lookForEnded();
    if (workflowInfo().historyLength > mostEvents) return continueAsNew<typeof endpointQuota>(quota.state);
  }
}
setWorkflowOptions({ failureExceptionTypes: [Error] }, endpointQuota);

class EndpointQuota {
  isChanged: boolean;
  private readonly told = new Map<string, string>();

  constructor(private current: QuotaState) {
    this.isChanged = current.accounts.length > 0;
  }

  get state(): QuotaState {
    return this.current;
  }

  get isOpen(): boolean {
    return this.isChanged || this.current.accounts.length > 0;
  }

  /** `limit`: as a worker has it; `undefined`: a run tells this, and knows nothing newer. */
  take(claim: Claim, limit: number | null | undefined): void {
    this.current = withClaim(limit === undefined ? this.current : { ...this.current, limit }, claim);
    // Whoever tells something again has not heard the answer.
    this.told.delete(claim.invocation);
    this.isChanged = true;
  }

  /** Grants what is free, and tells the runs. */
  async settle(): Promise<void> {
    this.isChanged = false;
    this.current = withGrants(this.current);
    this.show();
    const tellings = this.current.accounts.map(({ invocation, runId }) => this.tell(invocation, runId));
    await Promise.all(tellings);
  }

  /** Asks Temporal which of the runs are over with all their tasks. */
  async lookForEnded(): Promise<void> {
    const runs = this.current.accounts.map(({ invocation, tasks }) => ({ invocation, tasks }));
    try {
      const { over, limit } = await tryOnce('which runs are over').endedRuns({ runs });
      if (over.length === 0 && limit === this.current.limit) return;
      this.current = withoutRuns({ ...this.current, limit }, over);
      this.isChanged = true;
    } catch {
      // Nobody could be asked: what is taken stays taken.
    }
  }

  /** Tells a run what has changed for it. A run that is closed is found by `lookForEnded`. */
  private async tell(invocation: string, runId: string): Promise<void> {
    const grant = grantOf(this.current, invocation);
    if (!grant || this.told.get(invocation) === keyOf(grant)) return;
    this.told.set(invocation, keyOf(grant));
    try {
      await getExternalWorkflowHandle(runWorkflowId(invocation), runId).signal(quotaGrant, grant);
    } catch {
      this.told.delete(invocation);
    }
  }

  private show(): void {
    const { limit, accounts } = this.current;
    const rows = accounts.map(
      (account) =>
        `| ${account.invocation} | ${heldBy(account)} | ${account.turn === null ? '' : `waits for ${outstanding(account)}`} |`,
    );
    const most = limit === null ? 'no limit' : `of at most ${limit}`;
    setCurrentDetails(
      [
        `${inUse(this.current)} endpoints ${cell(most)}`,
        '',
        '| Run | Endpoints | |',
        '|---|---|---|',
        ...rows.slice(0, 200),
      ].join('\n'),
    );
  }
}

/** How many are in use changes often, and a run that waits is told with the next that concerns itself. */
const keyOf = ({ granted, ahead, limit }: Grant): string => `${granted} ${ahead} ${limit}`;

function isClaim(value: Partial<Claim> | undefined): value is Claim {
  const { invocation, runId, tasks, wanted, granted, returned, isWhole } = value ?? {};
  const isText = typeof invocation === 'string' && /^[0-9a-f]{16}$/.test(invocation) && typeof runId === 'string';
  return isText && [tasks, wanted, granted, returned].every(Number.isFinite) && typeof isWhole === 'boolean';
}
