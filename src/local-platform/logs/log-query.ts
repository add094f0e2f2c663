import { positionBefore, timeAt, type LogSegment } from './log-segments';
import { linesWithin, type OpenLog } from './positioned-lines';

/** Selects log lines for `GET /logs`. The same line gets the same time in every query. */

export interface LogQuery {
  /** Nanoseconds since the epoch; `from` is inclusive, `until` exclusive. */
  readonly from: bigint;
  readonly until: bigint;
  readonly limit: number;
  readonly backward: boolean;
  /** Select only lines that contain this text; empty selects all. */
  readonly text: string;
}

export interface LogLine {
  /** Nanoseconds since the epoch. */
  readonly at: bigint;
  readonly text: string;
}

export interface TimedLog {
  readonly open: OpenLog;
  /** What follows the last segment is left for the next query. */
  readonly segments: readonly LogSegment[];
  /** Nothing will be written any more, so a last line without a newline is complete. */
  readonly isComplete: boolean;
}

/** Bytes searched at once, from the end backwards: few at first, as most queries want few lines. */
const searchBytes = { first: 256 * 1024, max: 16 * 1024 * 1024 } as const;

/** Reads only the requested time range, and no more of it than needed for `limit` lines. */
export async function queryLog(log: TimedLog, query: LogQuery): Promise<LogLine[]> {
  const start = positionBefore(log.segments, query.from);
  const end = log.segments.at(-1)?.size ?? 0;
  if (!query.backward) return collect(log, query, { start, end, limit: query.limit });
  const found: LogLine[] = [];
  let before = positionAfter(log.segments, query.until, end);
  for (let size: number = searchBytes.first; before > start && found.length < query.limit; size *= 4) {
    const after = Math.max(start, before - Math.min(size, searchBytes.max));
    const lines = await collect(log, query, { start: after, end: before, limit: Infinity });
    found.push(...lines.reverse().slice(0, query.limit - found.length));
    before = after;
  }
  return found;
}

/** Returns a position after which no line is older than `until`. */
function positionAfter(segments: readonly LogSegment[], until: bigint, end: number): number {
  // `positionBefore` is off by at most two bytes.
  return Math.min(end, positionBefore(segments, until) + 4);
}

interface Range {
  /** Select lines that end after `start` … */
  readonly start: number;
  /** … and at or before `end`. */
  readonly end: number;
  readonly limit: number;
}

async function collect(log: TimedLog, query: LogQuery, { start, end, limit }: Range): Promise<LogLine[]> {
  const found: LogLine[] = [];
  for await (const line of linesWithin({ open: log.open, start, end, includeUnfinished: log.isComplete })) {
    const at = timeAt(log.segments, line.end);
    if (at === undefined || at >= query.until) break;
    if (at >= query.from && line.text.includes(query.text)) found.push({ at, text: line.text });
    if (found.length >= limit) break;
  }
  return found;
}
