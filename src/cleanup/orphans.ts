import { kinshipOf } from '../temporal/origin';
import type { MarkedResource } from './marked';

/** What Temporal says of the workflows that own a resource: the run's, and the task's own. */
export type OwnerState =
  /** At least one of them runs: it will tear down by itself. */
  | { readonly kind: 'live' }
  /** All closed; the last one at `closedAt`, milliseconds since the epoch. */
  | { readonly kind: 'closed'; readonly closedAt: number }
  /** Temporal knows none of them: retention is over, or the database is gone. */
  | { readonly kind: 'unknown' };

/** Now, milliseconds since the epoch, by whoever wrote the times that are compared with it: clocks can be minutes apart. */
export interface Clocks {
  /** Wrote when resources were created. */
  readonly platform: number;
  /** Wrote when workflows closed. */
  readonly temporal: number;
  /** Wrote the files of this host. */
  readonly host: number;
}

export interface SweepRule {
  /** Only resources of this Temporal installation are ours to judge. */
  readonly origin: string;
  readonly now: Clocks;
  /** How long a resource without a living owner may exist: longer than a create can be under way unseen. */
  readonly graceMs: number;
  /** The same for what this home marked when its Temporal had another database, which may come back. */
  readonly replacedGraceMs: number;
}

/** Whether a resource has outlived its task. Pure. */
export function isOrphan(
  resource: Pick<MarkedResource, 'origin' | 'createdAt'>,
  owner: OwnerState,
  rule: SweepRule,
): boolean {
  if (kinshipOf(resource.origin, rule.origin) === 'foreign') return false;
  const ageMs = rule.now.platform - resource.createdAt;
  switch (owner.kind) {
    case 'live':
      return false;
    case 'closed':
      return ageMs > rule.graceMs && rule.now.temporal - owner.closedAt > rule.graceMs;
    case 'unknown':
      return ageMs > forgottenGraceMs(resource.origin, rule);
  }
}

/** How old something must be before it counts as forgotten by Temporal, which does not know its run. Pure. */
export function forgottenGraceMs(
  origin: string,
  rule: Pick<SweepRule, 'origin' | 'graceMs' | 'replacedGraceMs'>,
): number {
  switch (kinshipOf(origin, rule.origin)) {
    case 'own':
      return rule.graceMs;
    case 'replaced':
      return rule.replacedGraceMs;
    case 'earlier':
    case 'foreign':
      // It may live in another Temporal installation: only its own one may say that it is forgotten.
      return Number.POSITIVE_INFINITY;
  }
}
