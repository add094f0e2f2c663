/** How much of the time that an endpoint is paid for it spends on answering requests. Pure. */
import type { Span } from './state';

/** Seconds of one task; `null`: not known. */
export interface EndpointTime {
  /** Seconds in which requests were under way: from the first request until the last answer. */
  readonly requestSeconds: number | null;
  /** Seconds for which its endpoint existed; `null`: it has none of its own. */
  readonly endpointSeconds: number | null;
}

/**
 * Returns the part, 0 to 1, of the paid time in which requests were under way, over all tasks of which both are known. `null`: of
 * none of them. Replicas and parallel requests don't matter: what counts is whether there was anything to do.
 */
export function usefulShare(tasks: readonly EndpointTime[]): number | null {
  let useful = 0;
  let paid = 0;
  for (const { requestSeconds, endpointSeconds } of tasks) {
    if (requestSeconds === null || endpointSeconds === null || endpointSeconds <= 0) continue;
    useful += Math.min(Math.max(0, requestSeconds), endpointSeconds);
    paid += endpointSeconds;
  }
  return paid === 0 ? null : useful / paid;
}

/** Returns how long something existed, seconds, until `nowMs` if it still does; `null`: never. */
export function secondsOf(span: Span | null | undefined, nowMs: number): number | null {
  if (!span) return null;
  const until = span.until === null ? nowMs : Date.parse(span.until);
  return Math.max(0, until - Date.parse(span.from)) / 1000;
}
