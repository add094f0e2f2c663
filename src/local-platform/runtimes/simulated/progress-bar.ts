import type { LogEntry } from './deployments';

/** Milliseconds between two bars, at least, and bars at most. */
const least = 1_000;
const most = 100;

/** A progress bar that is played in a log. Times in milliseconds since the epoch. */
export interface PlayedBar {
  readonly total: number;
  /** Milliseconds from none to all. */
  readonly over: number;
  readonly from: number;
  readonly until: number;
}

/** Returns the bars that the log has at `until`, as the harness writes them. Pure. */
export function progressBars({ total, over, from, until }: PlayedBar): LogEntry[] {
  const every = Math.max(least, over / most);
  const steps = Math.floor((Math.min(until, from + over) - from) / every);
  return Array.from({ length: Math.max(0, steps) }, (_, step) => {
    const share = Math.min(1, ((step + 1) * every) / over);
    return { at: Math.round(from + (step + 1) * every), text: barOf(Math.floor(total * share), total) };
  });
}

function barOf(done: number, total: number): string {
  const percent = Math.floor((done * 100) / total);
  const filled = Math.floor(percent / 10);
  const drawn = '█'.repeat(filled) + ' '.repeat(10 - filled);
  return `\rRequesting API: ${String(percent).padStart(3)}%|${drawn}| ${done}/${total} [00:00<00:00,  1.00it/s]\n`;
}
