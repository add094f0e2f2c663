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
  leastOf,
  noClaims,
  outstanding,
  stillLost,
  waitingOf,
  withClaim,
  withFindings,
  type Account,
  type Claim,
  type Grant,
  type QuotaState,
} from '../contract/endpoint-quota';
import { runWorkflowId } from '../contract/identity';
import type { LookedForRun } from '../contract/inputs/run';
import { quotaClaim, quotaGrant, quotaStatus } from '../contract/messages';
import { withGrants } from '../contract/quota-grants';
import { tryOnce } from './activity-groups';

/** Milliseconds between two looks for what has ended without saying so: while somebody waits, and while nobody does. */
const lookEveryMs = { waiting: 15_000, idle: 600_000 } as const;
/** Seconds for one look, in which thousands of workflows may be asked about. Claims wait meanwhile. */
const lookSeconds = 120;
/** Events after which the history begins anew. */
const mostEvents = 4_000;

/**
 * Shares the endpoints of a task queue among its runs, in the order in which they ask. Runs begin it with their first claim; it
 * ends when all of them are over. What a run that was terminated had comes back once all of its tasks are over and the platform
 * lists no endpoint of it any more; so does what a teardown had to leave behind.
 */
export async function endpointQuota(state: QuotaState = noClaims): Promise<void> {
  const quota = new EndpointQuota({ ...noClaims, ...state });
  setHandler(quotaStatus, () => quota.state);
  setHandler(quotaClaim, (claim?: Partial<Claim>, limit?: number | null) => {
    if (isClaim(claim)) quota.take(claim, limit);
  });
  await condition(() => quota.isChanged);
  for (let lookedAt = Date.now(); ;) {
    if (quota.isChanged) await quota.settle();
    if (!quota.isOpen) return;
    // However much runs have to tell.
    const restMs = lookedAt + quota.lookEveryMs - Date.now();
    if (restMs <= 0 || !(await condition(() => quota.isChanged, restMs))) {
      await quota.look();
      lookedAt = Date.now();
    }
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

  get lookEveryMs(): number {
    return waitingOf(this.current).length > 0 ? lookEveryMs.waiting : lookEveryMs.idle;
  }

  /** Has a worker find out which runs are over, and which endpoints are gone. */
  async look(): Promise<void> {
    const runs = this.current.accounts.map(lookedFor);
    try {
      const activities = tryOnce('which runs are over, and what is left of them', lookSeconds);
      const { findings = [], limit } = await activities.endedRuns({ runs });
      if (findings.length === 0 && limit === this.current.limit) return;
      this.current = withFindings({ ...this.current, limit }, findings);
      this.isChanged = true;
    } catch {
      // Nobody could be asked: what is taken stays taken.
    }
  }

  /** Tells a run what has changed for it. A run that is closed is found by `look`. */
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
    const rows = [...accounts]
      .sort((a, b) => (a.turn ?? 0) - (b.turn ?? 0))
      .map((account) => `| ${account.invocation} | ${heldBy(account)} | ${cell(stateOf(account))} |`);
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

const lookedFor = ({ invocation, tasks, shared, platform, isOver, ...account }: Account): LookedForRun => ({
  ...{ invocation, tasks, shared, platform, held: heldBy(account), lost: stillLost(account) },
  ...(isOver ? { isOver } : {}),
});

function stateOf(account: Account): string {
  const lost = stillLost(account).length;
  if (account.isOver) return 'is over; these were left behind';
  const left = lost === 0 ? '' : `${lost} left behind`;
  if (account.turn === null) return left;
  const waits =
    heldBy(account) < account.needs ? `waits for ${leastOf(account)}` : `could use ${outstanding(account)} more`;
  return [waits, left].filter((part) => part !== '').join('; ');
}

/** How many are in use changes often, and a run that waits is told with the next that concerns itself. */
const keyOf = ({ granted, due, gone, ahead, limit, stranded }: Grant): string =>
  JSON.stringify([granted, due, gone, ahead, limit, stranded]);

function isClaim(value: Partial<Claim> | undefined): value is Claim {
  const { invocation, runId, platform, version, tasks, shared, wanted, granted, returned, needs, lost } = value ?? {};
  const isText = typeof invocation === 'string' && /^[0-9a-f]{16}$/.test(invocation) && typeof runId === 'string';
  const counts = [version, tasks, shared, wanted, granted, returned, needs].every(Number.isFinite);
  return isText && counts && typeof platform === 'object' && Array.isArray(lost);
}
