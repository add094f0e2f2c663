import { kinshipOf } from '../temporal/origin';
import type { MarkedResource } from './marked';

/** State of the workflows that own a resource: the run's and the task's. */
export type OwnerState =
  /** At least one of them is running and will tear down by itself. */
  | { readonly kind: 'live' }
  /**
   * All are closed; the last one since `closedAt`, milliseconds since the epoch. `isForced`: a task was terminated or timed out, so
   * that its last requests may still be in flight.
   */
  | { readonly kind: 'closed'; readonly closedAt: number; readonly isForced?: true }
  /** Temporal knows none of them: their retention time is over, or the database was lost. */
  | { readonly kind: 'unknown' };

/** The current time by each clock involved, milliseconds since the epoch: clocks can differ by minutes. */
export interface Clocks {
  /** Compared with creation times of resources. */
  readonly platform: number;
  /** Compared with close times of workflows. */
  readonly temporal: number;
  /** Compared with times of this host's files. */
  readonly host: number;
}

export interface SweepRule {
  /** Only resources of this Temporal installation are swept. */
  readonly origin: string;
  readonly now: Clocks;
  /** How long a resource without an open owner may exist: longer than a create request can be in flight. */
  readonly graceMs: number;
  /** The same for resources marked while this home's Temporal had another database, which may be restored. */
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
      return ageMs > rule.graceMs && closedForMs(owner, rule) > rule.graceMs;
    case 'unknown':
      return ageMs > forgottenGraceMs(resource.origin, rule);
  }
}

/** Milliseconds since the owner closed. Temporal's time can't be earlier than that, whatever this host's clock says. Pure. */
export const closedForMs = ({ closedAt }: { readonly closedAt: number }, { now }: Pick<SweepRule, 'now'>): number =>
  Math.max(0, now.temporal - closedAt);

/** Returns the age, milliseconds, from which a resource of a run that Temporal doesn't know counts as an orphan. Pure. */
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
      // Its run may be open in another Temporal installation, and only that installation knows.
      return Number.POSITIVE_INFINITY;
  }
}
