import { parseDuration } from '../support/duration';
import { UsageError } from './usage-error';

/** Milliseconds from 1970 that a `Date` can hold, in both directions. */
const latestTime = 8.64e15;

/** The time that `--since` means: so long ago (`90s`, `10m`, `2h`, `1d`), or ISO 8601. Throws `UsageError`. Pure. */
export function sinceTime(text: string, now: Date): Date {
  const agoMs = parseDuration(text, ['s', 'm', 'h', 'd']);
  const written = isDate(text.trim()) ? Date.parse(text.trim()) : NaN;
  const time = agoMs === undefined ? written : now.getTime() - agoMs;
  if (Math.abs(time) <= latestTime) return new Date(time);
  throw new UsageError(
    `--since wants how long ago (90s, 10m, 2h, 1d) or a time (2026-01-31T12:00:00Z), got "${text}".`,
  );
}

/** Whether it begins with a day that the calendar has: JavaScript takes February 31 for a day in March. */
function isDate(text: string): boolean {
  const [, day] = /^(\d{4}-\d{2}-\d{2})(?:$|[T ])/.exec(text) ?? [];
  if (day === undefined) return false;
  const time = Date.parse(day);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(day);
}
