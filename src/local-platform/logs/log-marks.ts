/**
 * When a log grew: what lies beyond the mark before, up to `size`, was written between `from` and `at`. Ascending in size
 * and time, each with at least a nanosecond per byte, and never changed once noted: times of lines follow from nothing else.
 */
export interface LogMark {
  /** Milliseconds since the epoch; not before the `at` of the mark before. */
  readonly from: number;
  readonly at: number;
  /** Bytes of the log from its beginning. */
  readonly size: number;
}

const nanoseconds = (ms: number): bigint => BigInt(Math.round(ms)) * 1_000_000n;

/** Milliseconds that so many bytes take at the least, at a nanosecond each. */
export const leastSpanMs = (bytes: number): number => Math.max(1, Math.ceil(bytes / 1_000_000));

/**
 * The time of a line by the position after its last byte, nanoseconds since the epoch: evenly spread within its mark, so that
 * lines are in order and distinct (clients split a time range until each page is below the limit). `undefined`: not marked yet.
 */
export function timeAt(marks: readonly LogMark[], end: number): bigint | undefined {
  const index = firstOf(marks, ({ size }) => size >= end);
  const mark = marks[index];
  if (mark === undefined) return undefined;
  const { first, last, bytes } = spanOf(marks, index, mark);
  return last - ((last - first) * BigInt(mark.size - end)) / bytes;
}

/** A position at or before which every line that ends there is older than `time`; as near to it as can be said. */
export function positionBefore(marks: readonly LogMark[], time: bigint): number {
  const index = firstOf(marks, ({ at }) => nanoseconds(at) >= time);
  const mark = marks[index];
  if (mark === undefined) return marks.at(-1)?.size ?? 0;
  const { first, last, bytes, start } = spanOf(marks, index, mark);
  if (time <= first) return start;
  const back = Number(((last - time) * bytes) / (last - first)) + 2;
  return Math.max(start, mark.size - back);
}

function spanOf(marks: readonly LogMark[], index: number, mark: LogMark) {
  const start = marks[index - 1]?.size ?? 0;
  return {
    first: nanoseconds(mark.from),
    last: nanoseconds(mark.at),
    start,
    bytes: BigInt(Math.max(1, mark.size - start)),
  };
}

/** By halving; the length when there is none. */
function firstOf(marks: readonly LogMark[], holds: (mark: LogMark) => boolean): number {
  let low = 0;
  let high = marks.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const mark = marks[middle];
    if (mark !== undefined && holds(mark)) high = middle;
    else low = middle + 1;
  }
  return low;
}
