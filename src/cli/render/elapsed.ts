/** `7 s`, `3 min 5 s`, `2 h 4 min`. */
export function duration(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** From start to end, or to now where it has not ended; empty before the start. */
export function elapsed(
  { startedAt, endedAt }: { startedAt: string | null; endedAt: string | null },
  now: number,
): string {
  return startedAt === null ? '' : duration((endedAt === null ? now : Date.parse(endedAt)) - Date.parse(startedAt));
}

/** Local time of day, `14:03:09`. */
export function clock(now: number): string {
  const at = new Date(now);
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map((part) => String(part).padStart(2, '0')).join(':');
}
