import { LeptonError } from '../lepton/lepton-error';

/** Milliseconds for which a create whose answer was lost may still take effect. */
export const landsWithinMs = 15_000;

/**
 * Tracks, by activity, until when an earlier job creation may still take effect. The platform has no idempotency key for jobs,
 * so none may be posted until then. In memory: for requests of other workers the full time is waited.
 */
export class Submissions {
  private readonly landsUntil = new Map<string, number>();

  /**
   * Returns how long to wait before posting, milliseconds; 0: post now. `isAnswerMissing`: an earlier attempt on any worker got no
   * answer. `nowMs`: from any clock, but always the same one.
   */
  waitMs({ activity, isAnswerMissing, nowMs }: { activity: string; isAnswerMissing: boolean; nowMs: number }): number {
    const until = this.landsUntil.get(activity) ?? (isAnswerMissing ? nowMs + landsWithinMs : 0);
    this.remember(activity, until);
    return Math.max(0, until - nowMs);
  }

  /** Records a request that failed with `error`. */
  lost(activity: string, error: unknown, nowMs: number): void {
    this.remember(activity, mayLand(error) ? nowMs + landsWithinMs : 0);
  }

  forget(activity: string): void {
    this.landsUntil.delete(activity);
  }

  private remember(activity: string, until: number): void {
    if (this.landsUntil.size > 10_000) this.landsUntil.clear();
    this.landsUntil.set(activity, until);
  }
}

/** Whether a create that failed with `error` may still take effect. 429, 503 and refusals say that it will not. Pure. */
export function mayLand(error: unknown): boolean {
  if (!(error instanceof LeptonError)) return true;
  switch (error.kind) {
    case 'network':
    case 'invalid_response':
      return true;
    case 'server':
      return error.status !== 503;
    case 'unauthorized':
    case 'forbidden':
    case 'not_found':
    case 'conflict':
    case 'rate_limited':
    case 'invalid_request':
      return false;
  }
}
