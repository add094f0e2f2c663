import { UsageError } from './errors';

const units = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** The time that `--since` means: so long ago (`90s`, `10m`, `2h`, `1d`), or ISO 8601. Throws `UsageError`. Pure. */
export function sinceTime(text: string, now: Date): Date {
  const [, amount, unit] = /^(\d{1,9}(?:\.\d{1,3})?)([smhd])$/.exec(text.trim()) ?? [];
  if (amount !== undefined && unit !== undefined) {
    return new Date(now.getTime() - Number(amount) * units[unit as keyof typeof units]);
  }
  const time = /^\d{4}-\d{2}-\d{2}/.test(text.trim()) ? Date.parse(text.trim()) : NaN;
  if (Number.isNaN(time)) {
    throw new UsageError(
      `--since wants how long ago (90s, 10m, 2h, 1d) or a time (2026-01-31T12:00:00Z), got "${text}".`,
    );
  }
  return new Date(time);
}
