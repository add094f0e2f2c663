/** Time limits as sbatch takes them. Pure. */

/** Returns the seconds of `MM`, `MM:SS`, `HH:MM:SS`, `D-HH`, `D-HH:MM` or `D-HH:MM:SS`; `undefined` for anything else. */
export function slurmSeconds(text: string): number | undefined {
  const [, days, rest] = /^(?:(\d+)-)?([\d:]+)$/.exec(text.trim()) ?? [];
  if (rest === undefined || !/^\d+(?::\d+){0,2}$/.test(rest)) return undefined;
  const [first = 0, second, third] = rest.split(':').map(Number);
  if (days !== undefined) return Number(days) * 86_400 + first * 3600 + (second ?? 0) * 60 + (third ?? 0);
  if (third !== undefined) return first * 3600 + (second ?? 0) * 60 + third;
  return first * 60 + (second ?? 0);
}

/** Returns `4h`, `90m` or `75s`. */
export function durationText(seconds: number): string {
  if (seconds > 0 && seconds % 3600 === 0) return `${seconds / 3600}h`;
  return seconds > 0 && seconds % 60 === 0 ? `${seconds / 60}m` : `${seconds}s`;
}
