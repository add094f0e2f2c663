import { LeptonError } from '../lepton/lepton-error';

/** Milliseconds for which a create whose answer was lost may still be carried out. */
export const landsWithinMs = 15_000;

/**
 * Until when an earlier request to create a job may still land, by activity. A job has no key that would keep a second one
 * out: while one may land, none may be posted. Known to this worker only: what others posted is waited for in full.
 */
export class Submissions {
  private readonly landsUntil = new Map<string, number>();

  /**
   * Milliseconds for which to look before posting; 0: post now. `isAnswerMissing`: of an earlier attempt, on whichever worker.
   * `nowMs`: of any clock, always the same.
   */
  waitMs({ activity, isAnswerMissing, nowMs }: { activity: string; isAnswerMissing: boolean; nowMs: number }): number {
    const until = this.landsUntil.get(activity) ?? (isAnswerMissing ? nowMs + landsWithinMs : 0);
    this.remember(activity, until);
    return Math.max(0, until - nowMs);
  }

  /** A request had no answer that says what came of it. */
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

/** Whether a create that ended so may be carried out yet. 429 and 503 say that it was not taken; what is refused is not done. Pure. */
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
