import { formatDuration } from '../../support/duration';

/** Returns the time from start to end, or to now if it has not ended; empty before the start. */
export function elapsed(
  { startedAt, endedAt }: { startedAt: string | null; endedAt: string | null },
  now: number,
): string {
  return startedAt === null
    ? ''
    : formatDuration((endedAt === null ? now : Date.parse(endedAt)) - Date.parse(startedAt));
}

/** Local time of day, `14:03:09`. */
export function clock(now: number): string {
  const at = new Date(now);
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map((part) => String(part).padStart(2, '0')).join(':');
}
