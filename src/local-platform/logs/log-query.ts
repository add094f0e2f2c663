import { positionBefore, timeAt, type LogMark } from './log-marks';
import { linesWithin, type OpenLog } from './positioned-lines';

/** Log lines in the shape of `GET /logs`, with times that are the same at every look. */

export interface LogQuery {
  /** Nanoseconds since the epoch: `from` is in, `until` is out. */
  readonly from: bigint;
  readonly until: bigint;
  readonly limit: number;
  readonly backward: boolean;
  /** Only lines that hold this text; empty: all. */
  readonly text: string;
}

export interface LogLine {
  /** Nanoseconds since the epoch. */
  readonly at: bigint;
  readonly text: string;
}

export interface TimedLog {
  readonly open: OpenLog;
  /** What lies beyond the last mark is left for the next look. */
  readonly marks: readonly LogMark[];
  /** Nothing will be written any more: a last line without its end is one. */
  readonly isOver: boolean;
}

/** Bytes that are looked through at once, from the end backwards: few at first, as most want few lines. */
const window = { first: 256 * 1024, longest: 16 * 1024 * 1024 } as const;

/** Reads no more of the log than the wanted range, and of that no more than gives `limit` lines. */
export async function queryLog(log: TimedLog, query: LogQuery): Promise<LogLine[]> {
  const start = positionBefore(log.marks, query.from);
  const end = log.marks.at(-1)?.size ?? 0;
  if (!query.backward) return collect(log, query, { start, end, limit: query.limit });
  const found: LogLine[] = [];
  let before = positionAfter(log.marks, query.until, end);
  for (let size: number = window.first; before > start && found.length < query.limit; size *= 4) {
    const after = Math.max(start, before - Math.min(size, window.longest));
    const lines = await collect(log, query, { start: after, end: before, limit: Infinity });
    found.push(...lines.reverse().slice(0, query.limit - found.length));
    before = after;
  }
  return found;
}

/** A position beyond which no line is older than `until`. */
function positionAfter(marks: readonly LogMark[], until: bigint, end: number): number {
  // A line's end is found within two bytes, see `positionBefore`.
  return Math.min(end, positionBefore(marks, until) + 4);
}

interface Range {
  /** Lines that end beyond it, … */
  readonly start: number;
  /** … and at or before this. */
  readonly end: number;
  readonly limit: number;
}

async function collect(log: TimedLog, query: LogQuery, { start, end, limit }: Range): Promise<LogLine[]> {
  const found: LogLine[] = [];
  for await (const line of linesWithin({ open: log.open, start, end, unfinished: log.isOver })) {
    const at = timeAt(log.marks, line.end);
    if (at === undefined || at >= query.until) break;
    if (at >= query.from && line.text.includes(query.text)) found.push({ at, text: line.text });
    if (found.length >= limit) break;
  }
  return found;
}
