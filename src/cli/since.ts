import { parseDuration } from '../support/duration';
import { UsageError } from './usage-error';

/** Largest number of milliseconds before or after 1970 that a `Date` can hold. */
const latestTime = 8.64e15;

/** Parses `--since`: a duration before `now` (`90s`, `10m`, `2h`, `1d`), or ISO 8601. Throws `UsageError`. Pure. */
export function sinceTime(text: string, now: Date): Date {
  const agoMs = parseDuration(text, ['s', 'm', 'h', 'd']);
  const written = isDate(text.trim()) ? Date.parse(text.trim()) : NaN;
  const time = agoMs === undefined ? written : now.getTime() - agoMs;
  if (Math.abs(time) <= latestTime) return new Date(time);
  throw new UsageError(`--since takes a duration (90s, 10m, 2h, 1d) or a time (2026-01-31T12:00:00Z), not "${text}".`);
}

/** Whether the text starts with an existing date: JavaScript reads February 31 as a day in March. */
function isDate(text: string): boolean {
  const [, day] = /^(\d{4}-\d{2}-\d{2})(?:$|[T ])/.exec(text) ?? [];
  if (day === undefined) return false;
  const time = Date.parse(day);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(day);
}
