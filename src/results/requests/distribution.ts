/** A distribution in few numbers: quantiles, and a histogram whose bins grow with the values. Pure. */
export interface Distribution {
  readonly count: number;
  readonly min: number;
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
  /** From small to large, without gaps in between; the upper end of each is the lower end of the next. */
  readonly bins: readonly Bin[];
}

export interface Bin {
  readonly from: number;
  readonly until: number;
  readonly count: number;
}

/** Returns the distribution of numbers, each with how often it occurs; `undefined` if there are none. */
export function distributionOfCounts(counts: readonly (readonly [number, number])[]): Distribution | undefined {
  const sorted = counts.filter(([, times]) => times > 0).sort(([a], [b]) => a - b);
  const [first, last] = [sorted[0], sorted.at(-1)];
  if (!first || !last) return undefined;
  const count = sorted.reduce((sum, [, times]) => sum + times, 0);
  const at = (part: number): number => {
    let seen = 0;
    for (const [value, times] of sorted) if ((seen += times) >= Math.ceil(part * count)) return value;
    return last[0];
  };
  return {
    count,
    min: first[0],
    mean: sorted.reduce((sum, [value, times]) => sum + value * times, 0) / count,
    p50: at(0.5),
    p90: at(0.9),
    p99: at(0.99),
    max: last[0],
    bins: binsOf(sorted),
  };
}

/** Bins per factor of ten. */
const perDecade = 10;
/** Smaller values are in the first bin. */
const least = 0.1;

/** Returns the distribution of some numbers from 0; `undefined` if there are none. */
export function distributionOf(values: readonly number[]): Distribution | undefined {
  const sorted = Float64Array.from(values).sort();
  const [min] = sorted;
  const max = sorted.at(-1);
  if (min === undefined || max === undefined) return undefined;
  const at = (part: number): number => sorted[Math.min(sorted.length - 1, Math.ceil(part * sorted.length) - 1)] ?? min;
  return {
    count: sorted.length,
    min,
    mean: sorted.reduce((sum, value) => sum + value, 0) / sorted.length,
    p50: at(0.5),
    p90: at(0.9),
    p99: at(0.99),
    max,
    bins: binsOf(once(sorted)),
  };
}

function binsOf(sorted: Iterable<readonly [number, number]>): Bin[] {
  const counts = new Map<number, number>();
  for (const [value, times] of sorted) {
    const bin = value <= least ? 0 : Math.floor(Math.log10(value / least) * perDecade + 1e-9);
    counts.set(bin, (counts.get(bin) ?? 0) + times);
  }
  const first = Math.min(...counts.keys());
  const last = Math.max(...counts.keys());
  return Array.from({ length: last - first + 1 }, (_, step) => ({
    from: edge(first + step),
    until: edge(first + step + 1),
    count: counts.get(first + step) ?? 0,
  }));
}

function* once(values: Float64Array): Generator<readonly [number, number]> {
  for (const value of values) yield [value, 1];
}

const edge = (bin: number): number => Number((least * 10 ** (bin / perDecade)).toPrecision(4));
