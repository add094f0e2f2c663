/**
 * How runs share a limited number of endpoints. Pure: the workflow `endpointQuota` of each task queue keeps the state, and runs tell it
 * what they want and what they have given back. All numbers of an account only grow, so that messages may be repeated or overtake
 * each other.
 */

/** What a run tells of itself. */
export interface Claim {
  readonly invocation: string;
  /** Temporal's id of the run's execution: a run that was reset begins anew. */
  readonly runId: string;
  /** How many tasks it has: all must be over before what it had is free, if it can't say so itself. */
  readonly tasks: number;
  /** Endpoints that the run has asked for since it began. */
  readonly wanted: number;
  /** What it knows to have been granted; the rest may be on its way. */
  readonly granted: number;
  /** Of those granted, endpoints that are gone. */
  readonly returned: number;
  /** What is still wanted is of use only together: jobs wait for all endpoints to be Ready. */
  readonly isWhole: boolean;
  /** The run has torn everything down, and wants nothing more. */
  readonly isOver?: true;
}

/** A run's account. */
export interface Account extends Claim {
  /** Its place in the order of those that wait; `null`: it waits for nothing. */
  readonly turn: number | null;
}

export interface QuotaState {
  /** Endpoints at the same time; `null`: any number. */
  readonly limit: number | null;
  readonly accounts: readonly Account[];
  /** The next place in the order. */
  readonly nextTurn: number;
}

/** What the quota tells a run: its whole account, and why it waits. */
export interface Grant {
  readonly granted: number;
  readonly limit: number | null;
  /** Endpoints of all runs. */
  readonly inUse: number;
  /** Runs that wait before it. */
  readonly ahead: number;
}

export const noClaims: QuotaState = { limit: null, accounts: [], nextTurn: 1 };

export const heldBy = ({ granted, returned }: Pick<Claim, 'granted' | 'returned'>): number =>
  Math.max(0, granted - returned);

export const outstanding = ({ wanted, granted }: Pick<Claim, 'wanted' | 'granted'>): number =>
  Math.max(0, wanted - granted);

export const inUse = ({ accounts }: QuotaState): number => accounts.reduce((sum, account) => sum + heldBy(account), 0);

/** Takes what a run tells. What it wants is its own decision, so that it may also want less; an account without claims is closed. */
export function withClaim(state: QuotaState, claim: Claim): QuotaState {
  const known = state.accounts.find(({ invocation }) => invocation === claim.invocation);
  const before = known?.runId === claim.runId ? known : undefined;
  const others = state.accounts.filter(({ invocation }) => invocation !== claim.invocation);
  if (claim.isOver) return known && !before ? state : { ...state, accounts: others };
  const merged = {
    ...claim,
    granted: Math.max(claim.granted, before?.granted ?? 0),
    returned: Math.max(claim.returned, before?.returned ?? 0),
  };
  const waits = outstanding(merged) > 0;
  const turn = waits ? (before?.turn ?? state.nextTurn) : null;
  const isOpen = waits || heldBy(merged) > 0;
  return {
    ...state,
    nextTurn: turn === state.nextTurn ? state.nextTurn + 1 : state.nextTurn,
    accounts: isOpen ? [...others, { ...merged, turn }] : others,
  };
}

/** Takes back what runs had that are over. */
export const withoutRuns = (state: QuotaState, over: readonly string[]): QuotaState => ({
  ...state,
  accounts: state.accounts.filter(({ invocation }) => !over.includes(invocation)),
});

/** The accounts that wait, in their order. */
export const waitingOf = ({ accounts }: QuotaState): readonly Account[] =>
  accounts.filter(({ turn }) => turn !== null).sort((a, b) => (a.turn ?? 0) - (b.turn ?? 0));

/**
 * Grants what is free, in order: who can't have what it needs holds up those behind it, so that a large run is not passed by small
 * ones for ever. Only a run that needs more than there will ever be (the limit was lowered) is passed.
 */
export function withGrants(state: QuotaState): QuotaState {
  let free = (state.limit ?? Infinity) - inUse(state);
  const grants = new Map<string, number>();
  for (const account of waitingOf(state)) {
    const open = outstanding(account);
    if (account.isWhole && open > (state.limit ?? Infinity)) continue;
    const count = account.isWhole ? (open <= free ? open : 0) : Math.min(open, Math.max(0, free));
    if (count > 0) grants.set(account.invocation, count);
    free -= count;
    if (count < open) break;
  }
  if (grants.size === 0) return state;
  const accounts = state.accounts.map((account) => {
    const granted = account.granted + (grants.get(account.invocation) ?? 0);
    const after = { ...account, granted };
    return outstanding(after) === 0 ? { ...after, turn: null } : after;
  });
  return { ...state, accounts };
}

/** Returns what a run is told; `undefined`: it has no account. */
export function grantOf(state: QuotaState, invocation: string): Grant | undefined {
  const account = state.accounts.find((one) => one.invocation === invocation);
  if (!account) return undefined;
  const ahead = waitingOf(state).filter(({ turn }) => account.turn !== null && (turn ?? 0) < account.turn).length;
  return { granted: account.granted, limit: state.limit, inUse: inUse(state), ahead };
}

/** Says why a task waits. */
export function waitWords({ limit, inUse: used, ahead }: Omit<Grant, 'granted'>, wanted: number): string {
  const most = limit === null ? 'any number' : `at most ${limit}`;
  if (limit !== null && wanted > limit)
    return `waits for ${wanted} endpoints together, but ${most} are allowed now (EVALSAGA_MAX_ENDPOINTS of the workers): cancel the run, or have the limit raised`;
  const runs = ahead === 0 ? 'it is the next run' : `${ahead} ${ahead === 1 ? 'run is' : 'runs are'} before it`;
  const what = wanted === 1 ? 'an endpoint' : `${wanted} endpoints`;
  return `waits for ${what}: ${used} of ${most} are in use (EVALSAGA_MAX_ENDPOINTS); ${runs}`;
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
