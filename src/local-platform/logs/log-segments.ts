/**
 * A stretch of a log, from the end of the previous segment up to `size`, and when it was written: between `from` and
 * `at`. Segments ascend in size and time, span at least a nanosecond per byte, and never change once recorded: the times
 * of lines are derived from them alone.
 */
export interface LogSegment {
  /** Milliseconds since the epoch; not before the `at` of the previous segment. */
  readonly from: number;
  readonly at: number;
  /** Size of the log in bytes at the end of this segment. */
  readonly size: number;
}

const nanoseconds = (ms: number): bigint => BigInt(Math.round(ms)) * 1_000_000n;

/** Returns how many milliseconds a segment of this size must span: a nanosecond per byte, at least 1 ms. */
export const minSpanMs = (bytes: number): number => Math.max(1, Math.ceil(bytes / 1_000_000));

/**
 * Returns the time of a line in nanoseconds since the epoch; `end` is the position after its last byte. Lines are spread
 * evenly over their segment, so that times are ordered and distinct: clients split a time range until each page is below
 * the limit. `undefined` if no segment covers the line yet.
 */
export function timeAt(segments: readonly LogSegment[], end: number): bigint | undefined {
  const index = firstIndex(segments, ({ size }) => size >= end);
  const segment = segments[index];
  if (segment === undefined) return undefined;
  const { first, last, bytes } = spanOf(segments, index, segment);
  return last - ((last - first) * BigInt(segment.size - end)) / bytes;
}

/** Returns the last known position such that every line ending at or before it is older than `time`. */
export function positionBefore(segments: readonly LogSegment[], time: bigint): number {
  const index = firstIndex(segments, ({ at }) => nanoseconds(at) >= time);
  const segment = segments[index];
  if (segment === undefined) return segments.at(-1)?.size ?? 0;
  const { first, last, bytes, start } = spanOf(segments, index, segment);
  if (time <= first) return start;
  const back = Number(((last - time) * bytes) / (last - first)) + 2;
  return Math.max(start, segment.size - back);
}

function spanOf(segments: readonly LogSegment[], index: number, segment: LogSegment) {
  const start = segments[index - 1]?.size ?? 0;
  return {
    first: nanoseconds(segment.from),
    last: nanoseconds(segment.at),
    start,
    bytes: BigInt(Math.max(1, segment.size - start)),
  };
}

/** Returns the index of the first segment that `holds`, by binary search; the length if there is none. */
function firstIndex(segments: readonly LogSegment[], holds: (segment: LogSegment) => boolean): number {
  let low = 0;
  let high = segments.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const segment = segments[middle];
    if (segment !== undefined && holds(segment)) high = middle;
    else low = middle + 1;
  }
  return low;
}
