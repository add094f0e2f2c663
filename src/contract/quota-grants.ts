/**
 * Who gets the endpoints of a quota. Runs are served in the order in which they ask:
 *
 * - A run gets at once what it can't do without (all endpoints of a barrier; its shared endpoints and a first task's), or nothing. So
 *   no run holds what others need while it waits for more, and they can't wait for each other.
 * - A run for which there is too little holds up those behind it, or small runs would pass it for ever.
 * - A run that takes endpoints one by one gets its fair share, and what nobody else wants. It gives back what it has beyond that as
 *   its tasks end, or a long run would keep the others out for ever.
 *
 * Pure.
 */
import { heldBy, inUse, leastOf, outstanding, waitingOf, type Account, type QuotaState } from './endpoint-quota';

/** Grants what is free, and asks for some back where a run waits that is next. */
export function withGrants(state: QuotaState): QuotaState {
  const round = new Round(state);
  const short = round.grantShares();
  if (short) round.askBack(short);
  else round.grantRest();
  return round.result;
}

/** The run that is next, and how many endpoints it lacks. */
interface Short {
  readonly account: Account;
  readonly missing: number;
  /** It can do nothing at all without them. */
  readonly isIdle: boolean;
}

class Round {
  private readonly accounts: Map<string, Account>;
  private readonly limit: number;
  /** What each run may have before any has more. */
  private readonly fair: number;
  private free: number;
  private nextTurn: number;

  constructor(private readonly state: QuotaState) {
    this.limit = state.limit ?? Infinity;
    this.accounts = new Map(state.accounts.map((account) => [account.invocation, account]));
    this.free = this.limit - inUse(state);
    this.nextTurn = state.nextTurn;
    const open = state.accounts.filter((one) => !one.isOver && (one.turn !== null || heldBy(one) > 0)).length;
    this.fair = Math.max(1, Math.floor(this.limit / Math.max(1, open)));
  }

  get result(): QuotaState {
    return { ...this.state, accounts: [...this.accounts.values()], nextTurn: this.nextTurn };
  }

  /** Grants each run in its turn what it can't do without, and up to its fair share. Returns the first for which there is too little. */
  grantShares(): Short | undefined {
    for (const account of this.waiting) {
      const { least, most } = this.shareOf(account);
      if (most === 0) continue;
      if (least > this.free) return { account, missing: least - this.free, isIdle: isIdle(account) };
      const count = Math.min(most, this.free);
      this.give(account, count);
      if (count < most) return { account, missing: most - count, isIdle: false };
    }
    return undefined;
  }

  /** Grants what is left to those who have their share and want more. */
  grantRest(): void {
    for (const account of this.waiting) this.give(account, Math.min(outstanding(account), this.free));
  }

  /** Asks runs that have more than they need for what the next one lacks, those with most first. */
  askBack({ account: short, missing, isIdle: isUrgent }: Short): void {
    const donors = [...this.accounts.values()]
      .filter(({ invocation, keeps, isOver }) => invocation !== short.invocation && keeps !== null && !isOver)
      .map((account) => ({
        account,
        has: heldBy(account) - pending(account),
        floor: Math.max(account.keeps ?? 0, isUrgent ? 0 : this.fair),
        asked: 0,
      }));
    let open = missing - [...this.accounts.values()].reduce((sum, account) => sum + pending(account), 0);
    // Places that stand empty and still don't suffice would help nobody.
    if (isUrgent && open > donors.reduce((sum, { has, floor }) => sum + Math.max(0, has - floor), 0)) return;
    for (; open > 0; open -= 1) {
      const [most] = donors
        .filter(({ has, floor, asked }) => has - asked > floor)
        .sort((a, b) => b.has - b.asked - (a.has - a.asked));
      if (!most) break;
      most.asked += 1;
    }
    for (const { account, asked } of donors)
      if (asked > 0) this.put({ ...account, due: Math.max(account.due, account.returned) + asked });
  }

  /** Those that wait for what there can be, as they are now. A run that needs more, since the limit was lowered, holds up nobody. */
  private get waiting(): readonly Account[] {
    return waitingOf({ accounts: [...this.accounts.values()] }).filter(
      (account) => heldBy(account) + leastOf(account) <= this.limit,
    );
  }

  private shareOf(account: Account): { readonly least: number; readonly most: number } {
    const least = leastOf(account);
    if (account.keeps === null) return { least, most: least };
    const most = Math.min(outstanding(account), this.fair - heldBy(account));
    return isIdle(account) ? { least, most: Math.max(least, most) } : { least, most: most < least ? 0 : most };
  }

  /** Who wants still more goes behind those that wait. */
  private give(account: Account, count: number): void {
    if (count <= 0) return;
    const after = { ...account, granted: account.granted + count };
    const waits = outstanding(after) > 0;
    this.put({ ...after, turn: waits ? this.nextTurn : null });
    if (waits) this.nextTurn += 1;
    this.free -= count;
  }

  private put(account: Account): void {
    this.accounts.set(account.invocation, account);
  }
}

/** Whether it can do nothing with what it has. */
const isIdle = (account: Account): boolean => heldBy(account) < account.needs;

/** What it has been asked for and has not returned yet. */
const pending = ({ due, returned }: Account): number => Math.max(0, due - returned);
