/**
 * How runs share a limited number of endpoints. Pure: the workflow `endpointQuota` of each task queue keeps the state, and runs tell it
 * what they want and what they have given back (`quota-share.ts`); `quota-grants.ts` decides who gets what. Counts of an account only
 * grow, and claims are numbered, so that messages may be repeated or overtake each other.
 */
import type { PlatformRef } from './plan';

/** What a run tells of itself. */
export interface Claim {
  readonly invocation: string;
  /** Temporal's id of the run's execution: a run that was reset begins anew. */
  readonly runId: string;
  /** Grows with each claim of an execution: an older one that arrives later is of no interest. */
  readonly version: number;
  /** How many tasks and shared endpoints it has: all must be over before what it had is free, if it can't say so itself. */
  readonly tasks: number;
  readonly shared: number;
  /** Where its endpoints are: those of a run that died are looked for there. */
  readonly platform: PlatformRef;
  /** Endpoints that the run has asked for since it began. */
  readonly wanted: number;
  /** What it knows to have been granted; the rest may be on its way. */
  readonly granted: number;
  /** Of those granted, endpoints that are gone. */
  readonly returned: number;
  /** With fewer than these it can do nothing: it gets as many at once, or none. */
  readonly needs: number;
  /** To how many it can go down when others wait, as its tasks end; `null`: its jobs wait for all of them, so it gives none back early. */
  readonly keeps: number | null;
  /** Names of endpoints that teardowns had to leave behind: not returned as long as they are there. */
  readonly lost: readonly string[];
  /** The run is over and wants nothing more. What it has not returned is left on the platform. */
  readonly isOver?: true;
}

/** A run's account. */
export interface Account extends Claim {
  /** Its place in the order of those that wait; `null`: it waits for nothing. */
  readonly turn: number | null;
  /** How many the quota has asked it to return since it began. */
  readonly due: number;
  /** Of the lost ones, those that are gone meanwhile. */
  readonly gone: readonly string[];
}

export interface QuotaState {
  /** Endpoints at the same time; `null`: any number. */
  readonly limit: number | null;
  readonly accounts: readonly Account[];
  /** The next place in the order. */
  readonly nextTurn: number;
  /** Executions of runs whose accounts were closed last: what they say late opens no new ones. */
  readonly closed: readonly string[];
}

const mostClosed = 500;

/** What the quota tells a run: its whole account, and why it waits. */
export interface Grant {
  readonly granted: number;
  /** See `Account`. */
  readonly due: number;
  /** See `Account`. */
  readonly gone: readonly string[];
  readonly limit: number | null;
  /** Endpoints of all runs. */
  readonly inUse: number;
  /** Of these, endpoints that were left behind, and that nobody has removed yet. */
  readonly stranded: number;
  /** Runs that wait before it. */
  readonly ahead: number;
}

export const noClaims: QuotaState = { limit: null, accounts: [], nextTurn: 1, closed: [] };

export const heldBy = ({ granted, returned }: Pick<Claim, 'granted' | 'returned'>): number =>
  Math.max(0, granted - returned);

export const outstanding = ({ wanted, granted }: Pick<Claim, 'wanted' | 'granted'>): number =>
  Math.max(0, wanted - granted);

/** The smallest number of further endpoints that is of use to a run. */
export const leastOf = (claim: Pick<Claim, 'wanted' | 'granted' | 'returned' | 'needs'>): number =>
  Math.min(outstanding(claim), Math.max(1, claim.needs - heldBy(claim)));

export const inUse = ({ accounts }: Pick<QuotaState, 'accounts'>): number =>
  accounts.reduce((sum, account) => sum + heldBy(account), 0);

/** Of these, endpoints that were left behind. */
const stranded = ({ accounts }: QuotaState): number =>
  accounts.reduce((sum, account) => sum + (account.isOver ? heldBy(account) : stillLost(account).length), 0);

/** Returns the names of endpoints that were left behind, and that are not known to be gone. */
export const stillLost = ({ lost, gone }: Pick<Account, 'lost' | 'gone'>): readonly string[] =>
  lost.filter((name) => !gone.includes(name));

/**
 * Takes what a run tells. What it wants is its own decision, so that it may also want less. A run that gives back what others wait for, and wants it again, goes behind them.
 */
export function withClaim(state: QuotaState, claim: Claim): QuotaState {
  const known = state.accounts.find(({ invocation }) => invocation === claim.invocation);
  // What an earlier execution of a reset run says no longer ends anything.
  if (known && known.runId !== claim.runId && claim.isOver) return state;
  const before = known && (known.runId === claim.runId ? known : inherited(known, claim));
  if (state.closed.includes(claim.runId) || before?.isOver || (before && claim.version < before.version)) return state;
  const granted = claim.isOver ? claim.granted : Math.max(claim.granted, before?.granted ?? 0);
  const merged = { ...claim, granted, due: before?.due ?? 0, gone: before?.gone ?? [] };
  const waits = !claim.isOver && outstanding(merged) > 0;
  const hasYielded = before !== undefined && claim.returned > before.returned;
  const turn = waits ? ((hasYielded ? undefined : before?.turn) ?? state.nextTurn) : null;
  const others = state.accounts.filter(({ invocation }) => invocation !== claim.invocation);
  return withoutClosed({
    ...state,
    nextTurn: turn === state.nextTurn ? state.nextTurn + 1 : state.nextTurn,
    accounts: [...others, { ...merged, turn }],
  });
}

/** Closes the accounts of runs that are over and of which nothing is left. */
function withoutClosed(state: QuotaState): QuotaState {
  const over = state.accounts.filter((account) => account.isOver && heldBy(account) === 0);
  if (over.length === 0) return state;
  return {
    ...state,
    accounts: state.accounts.filter((account) => !over.includes(account)),
    closed: [...state.closed, ...over.map(({ runId }) => runId)].slice(-mostClosed),
  };
}

/** A reset run gets the places of its earlier execution, whose endpoints have the same names, and which it waits for. */
const inherited = ({ isOver: _, ...known }: Account, { wanted }: Claim): Account => ({
  ...known,
  ...{ version: -1, granted: Math.min(heldBy(known), wanted), returned: 0, due: 0, gone: [] },
});

/** What was found out about a run's endpoints. */
export type Finding =
  /** The run is over with all its tasks, and so many endpoints of it are left. */
  | { readonly kind: 'over'; readonly invocation: string; readonly endpoints: number }
  /** The run goes on; of those that it has lost, these are gone. */
  | { readonly kind: 'gone'; readonly invocation: string; readonly names: readonly string[] };

/** Takes back what runs had that are over, but for endpoints that are still there, and tells open ones what is gone. */
export function withFindings(state: QuotaState, findings: readonly Finding[]): QuotaState {
  const known = new Map(findings.map((finding) => [finding.invocation, finding]));
  return withoutClosed({
    ...state,
    accounts: state.accounts.map((account) => withFinding(account, known.get(account.invocation))),
  });
}

function withFinding(account: Account, finding: Finding | undefined): Account {
  switch (finding?.kind) {
    case undefined:
      return account;
    case 'gone':
      return { ...account, gone: [...new Set([...account.gone, ...finding.names])] };
    case 'over': {
      const { endpoints } = finding;
      return { ...account, ...{ wanted: endpoints, granted: endpoints, returned: 0, turn: null, isOver: true } };
    }
  }
}

/** The accounts that wait, in their order. */
export const waitingOf = ({ accounts }: Pick<QuotaState, 'accounts'>): readonly Account[] =>
  accounts.filter(({ turn }) => turn !== null).sort((a, b) => (a.turn ?? 0) - (b.turn ?? 0));

/** Returns what a run is told; `undefined`: it has no account. */
export function grantOf(state: QuotaState, invocation: string): Grant | undefined {
  const account = state.accounts.find((one) => one.invocation === invocation);
  if (!account) return undefined;
  const ahead = waitingOf(state).filter(({ turn }) => account.turn !== null && (turn ?? 0) < account.turn).length;
  const { granted, due, gone } = account;
  return { granted, due, gone, limit: state.limit, inUse: inUse(state), stranded: stranded(state), ahead };
}

/** Says why a run waits that can do with `least` endpoints more. */
export function waitWords(
  grant: Pick<Grant, 'limit' | 'inUse' | 'stranded' | 'ahead'>,
  { least, held }: WaitingRun,
): string {
  const { limit, inUse: used, ahead, stranded: lost } = grant;
  const most = limit === null ? 'any number' : `at most ${limit}`;
  if (limit !== null && held + least > limit)
    return `waits for ${held + least} endpoints together, but ${most} are allowed now (${maxEndpointsVariable} of the workers): cancel the run, or have the limit raised`;
  const runs = ahead === 0 ? 'it is the next run' : `${ahead} ${ahead === 1 ? 'run is' : 'runs are'} before it`;
  const what = least === 1 ? 'an endpoint' : `${least} endpoints`;
  const over =
    lost === 0
      ? ''
      : `; ${lost} ${lost === 1 ? 'was' : 'were'} left behind by a teardown (of a closed run: evalsaga sweep removes them)`;
  return `waits for ${what}: ${used} of ${most} are in use (${maxEndpointsVariable}); ${runs}${over}`;
}

export interface WaitingRun {
  readonly least: number;
  readonly held: number;
}

/** Reads `EVALSAGA_MAX_ENDPOINTS`: a whole number from 1; `undefined`: no limit. Throws a message for its user. */
export function maxEndpointsIn(env: Readonly<Record<string, string | undefined>>): number | undefined {
  const text = env[maxEndpointsVariable];
  if (text === undefined || text === '') return undefined;
  if (!/^[1-9]\d{0,5}$/.test(text))
    throw new Error(`${maxEndpointsVariable} takes a whole number of endpoints, at least 1, not "${text}".`);
  return Number(text);
}

export const maxEndpointsVariable = 'EVALSAGA_MAX_ENDPOINTS';

export const quotaWorkflowType = 'endpointQuota';

export const quotaWorkflowId = (taskQueue: string): string => `evalsaga-quota-${taskQueue}`;
