import { UsageError } from './usage-error';

const units = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** The time that `--since` means: so long ago (`90s`, `10m`, `2h`, `1d`), or ISO 8601. Throws `UsageError`. Pure. */
export function sinceTime(text: string, now: Date): Date {
  const [, amount, unit] = /^(\d{1,9}(?:\.\d{1,3})?)([smhd])$/.exec(text.trim()) ?? [];
  if (amount !== undefined && unit !== undefined) {
    return new Date(now.getTime() - Number(amount) * units[unit as keyof typeof units]);
  }
  const time = isDate(text.trim()) ? Date.parse(text.trim()) : NaN;
  if (Number.isNaN(time)) {
    throw new UsageError(
      `--since wants how long ago (90s, 10m, 2h, 1d) or a time (2026-01-31T12:00:00Z), got "${text}".`,
    );
  }
  return new Date(time);
}

/** Whether it begins with a day that the calendar has: JavaScript takes February 31 for a day in March. */
function isDate(text: string): boolean {
  const [, day] = /^(\d{4}-\d{2}-\d{2})(?:$|[T ])/.exec(text) ?? [];
  if (day === undefined) return false;
  const time = Date.parse(day);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(day);
}
