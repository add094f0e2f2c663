/** A run's part of its task queue's endpoints, as the run keeps count of it. Pure: `workflows/endpoint-share.ts` tells the quota. */
import { heldBy, type Claim, type Grant } from './endpoint-quota';

export interface Share {
  /** As in `Claim`. */
  readonly version: number;
  readonly wanted: number;
  readonly granted: number;
  readonly returned: number;
  /** As in `Account`. */
  readonly due: number;
  /** Shared endpoints of the run that are not gone. */
  readonly serving: number;
  /** Names of endpoints that teardowns had to leave behind, and that are not known to be gone. */
  readonly lost: readonly string[];
  /** Tasks that have begun with an endpoint of their own, and have not ended. */
  readonly taken: number;
  /** Endpoints of their own that tasks can use now, those that have begun included. */
  readonly demand: number;
  /** Its jobs wait for all of them. */
  readonly isWhole: boolean;
}

export const emptyShare = (of: Pick<Share, 'serving' | 'isWhole'>): Share => ({
  ...{ version: 0, wanted: 0, granted: 0, returned: 0, due: 0, lost: [], taken: 0, demand: 0 },
  ...of,
});

/** Endpoints that tasks which have not begun may have now. */
export const freeIn = ({ serving, lost, taken, ...account }: Share): number =>
  Math.max(0, heldBy(account) - serving - lost.length - taken);

/** Whether the run has what it can't do without. */
export const hasBegun = (share: Share): boolean => heldBy(share) >= needsOf(share);

/** With a barrier, all; else the shared endpoints and one for a task. */
const needsOf = (share: Share): number =>
  share.isWhole ? targetOf(share) : share.serving + share.lost.length + Math.min(1, share.demand);

const targetOf = ({ serving, lost, demand }: Share): number => serving + lost.length + demand;

/**
 * Returns the share after a change of the run or of what the quota has told: gives back what the run can't use any more, and what it
 * was asked for, as far as no task uses it; wants what it lacks.
 */
export function settled(before: Share, change: Partial<Share>): Share {
  const share = { ...before, ...change };
  const target = targetOf(share);
  const excess = isOfNoUse(share) ? freeIn(share) : heldBy(share) - target;
  const given = Math.min(freeIn(share), Math.max(0, excess, share.due - share.returned));
  const returned = share.returned + given;
  const wanted = share.granted + Math.max(0, target - (share.granted - returned));
  const after = { ...share, returned, wanted };
  return { ...after, version: before.version + (isNews(before, after) ? 1 : 0) };
}

/** Whether it has only a part of the endpoints of its next barrier, such as one that was lost before and is gone now. */
const isOfNoUse = (share: Share): boolean =>
  share.isWhole && share.serving === 0 && share.taken === 0 && !hasBegun(share);

/** Whether the quota must be told: what it has granted it knows. */
function isNews(before: Share, after: Share): boolean {
  const [one, other] = [claimIn(before), claimIn(after)];
  const isOther = (['wanted', 'returned', 'needs', 'keeps'] as const).some((key) => one[key] !== other[key]);
  return isOther || one.lost.join() !== other.lost.join();
}

/** What the quota told; numbers of an earlier message may arrive later. */
export const withGrant = (share: Share, { granted, due, gone }: Pick<Grant, 'granted' | 'due' | 'gone'>): Share =>
  settled(share, {
    granted: Math.max(share.granted, granted),
    due: Math.max(share.due, due),
    lost: share.lost.filter((name) => !gone.includes(name)),
  });

/** The share of a run that is over: what it has lost is all that it still has. */
export const closed = (share: Share): Share => ({
  ...share,
  ...{ version: share.version + 1, demand: 0, serving: 0, taken: 0 },
  ...{ wanted: share.granted, returned: share.granted - Math.min(share.lost.length, share.granted) },
});

/** What the run tells the quota of itself. */
export const claimIn = (share: Share): ClaimedShare => {
  const { version, wanted, granted, returned, serving, lost, isWhole } = share;
  const needs = needsOf(share);
  // Without shared endpoints a run can wait for its next turn with none at all.
  const keeps = isWhole ? null : serving === 0 ? lost.length : needs;
  return { version, wanted, granted, returned, needs, keeps, lost };
};

export type ClaimedShare = Pick<Claim, 'version' | 'wanted' | 'granted' | 'returned' | 'needs' | 'keeps' | 'lost'>;
