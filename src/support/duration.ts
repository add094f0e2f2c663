/** Durations as people write and read them. Pure. */

const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

export type DurationUnit = keyof typeof unitMs;

/** Returns the milliseconds of a number with one of `units`: `200ms`, `1.5m`, `2 h`. `undefined` for anything else. */
export function parseDuration(text: string, units: readonly DurationUnit[]): number | undefined {
  const [, amount, word] = /^(\d+(?:\.\d+)?)\s*([a-z]+)$/.exec(text.trim()) ?? [];
  const unit = units.find((allowed) => allowed === word);
  return unit === undefined ? undefined : Math.round(Number(amount) * unitMs[unit]);
}

/** Returns `7 s`, `3 min 5 s` or `2 h 4 min`; `0 s` for a negative duration. */
export function formatDuration(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
