import type { MarkedResource } from './marked';

/** What Temporal says of the workflows that own a resource: the run's, and the task's own. */
export type OwnerState =
  /** At least one of them runs: it will tear down by itself. */
  | { readonly kind: 'live' }
  /** All closed; the last one at `closedAt`, milliseconds since the epoch. */
  | { readonly kind: 'closed'; readonly closedAt: number }
  /** Temporal knows none of them: retention is over, or the database is gone. */
  | { readonly kind: 'unknown' };

export interface SweepRule {
  /** Only resources of this Temporal installation are ours to judge. */
  readonly origin: string;
  readonly nowMs: number;
  /** How long a resource without a living owner may exist: longer than a create can be under way unseen. */
  readonly graceMs: number;
}

/** Whether a resource has outlived its task. Pure. */
export function isOrphan(resource: MarkedResource, owner: OwnerState, rule: SweepRule): boolean {
  if (resource.origin !== rule.origin) return false;
  switch (owner.kind) {
    case 'live':
      return false;
    case 'closed':
      return rule.nowMs - Math.max(owner.closedAt, resource.createdAt) > rule.graceMs;
    case 'unknown':
      return rule.nowMs - resource.createdAt > rule.graceMs;
  }
}
