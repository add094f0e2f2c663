import { metricKey, type ScoreEvidence } from './evidence/evidence';
import type { PairedSamples } from './pairing/read-pairs';
import type { Differences } from './statistics/mean-difference';

/** The samples behind one score: of its own task of the harness, or of all tasks in its group. Pure. */

export interface ScoreSamples {
  readonly differences: Differences;
  /** Base values beside the differences, to tell right from wrong. */
  readonly base: Float64Array;
  readonly candidate: Float64Array;
  /** All values are 0 or 1, one per sample. */
  readonly isBinary: boolean;
  readonly clusteredBy: string | null;
  /** Sums of differences by part of the group, or by cluster. */
  readonly parts: readonly { readonly name: string; readonly n: number; readonly delta: number }[];
  /** What a reader must know about how they were taken. */
  readonly notes: readonly string[];
  /** By pair: which of the sources, and which pair of it. */
  readonly places: { readonly source: Uint32Array; readonly pair: Uint32Array };
  readonly sources: readonly PairedSamples[];
}

/** Below this, clusters that nobody asked for say less about the error than the samples do. */
const fewestClusters = 10;

export interface Wanted {
  readonly score: Pick<ScoreEvidence, 'path' | 'metric' | 'filter'>;
  readonly base: number | null;
  readonly candidate: number | null;
  /** Field to cluster by, if asked for. */
  readonly cluster: string | undefined;
}

/** Returns the samples behind a score, or the reason why there are none that it is the mean of. */
export function samplesOf(wanted: Wanted, all: readonly PairedSamples[]): ScoreSamples | { readonly reason: string } {
  const own = wanted.score.path.at(-1) ?? '';
  const sources = all.filter(({ path }) => path.includes(own));
  if (sources.length === 0) return { reason: 'no samples on both sides' };
  const key = metricKey(wanted.score);
  const lacking = sources.find(({ columns }) => !columns.has(key));
  if (lacking) return { reason: `the samples of ${lacking.path.at(-1)} hold no numbers of this metric` };
  const other = notTheMean(wanted, key, sources);
  if (other !== undefined) return { reason: other };
  const joined = join(key, sources);
  if (joined.values.length === 0) return { reason: 'no sample in common' };
  const clusters = clustersOf(sources, joined, wanted.cluster);
  return {
    differences: { values: joined.values, parts: joined.parts, clusters: clusters.clusters },
    base: joined.base,
    candidate: joined.candidate,
    isBinary: joined.parts === null && isBinary(joined.base) && isBinary(joined.candidate),
    clusteredBy: clusters.by,
    parts: partsOf(sources, joined),
    notes: clusters.notes,
    places: { source: joined.source, pair: joined.pair },
    sources,
  };
}

/** Relative; harnesses print all digits. */
const tolerance = 1e-6;

/** Some scores are no mean of what is logged by sample: F1, perplexity, BLEU. Then samples can't be compared for it. */
function notTheMean({ base, candidate }: Wanted, key: string, sources: readonly PairedSamples[]): string | undefined {
  if (sources.every((source) => source.base.isMean && source.candidate.isMean)) return undefined;
  let isChecked = false;
  for (const [side, reported] of [
    ['base', base],
    ['candidate', candidate],
  ] as const) {
    const isWhole = sources.every(({ [side]: own }) => own.damaged === 0 && own.items === own.expected);
    if (reported === null || !isWhole) continue;
    isChecked = true;
    const mean = meanOver(key, side, sources);
    const isSame = Math.abs(mean - reported) <= tolerance * Math.max(1, Math.abs(reported));
    if (!isSame) return 'the score is not the mean of its samples';
  }
  const areSingle = sources.every(({ columns }) => columns.get(key)?.parts === null);
  return isChecked || areSingle
    ? undefined
    : 'its samples hold several numbers each, of which the score may not be the mean';
}

function meanOver(key: string, side: 'base' | 'candidate', sources: readonly PairedSamples[]): number {
  const [only, ...more] = sources;
  if (only && more.length === 0) return only[side].means.get(key) ?? NaN;
  const items = sources.reduce((sum, source) => sum + source[side].items, 0);
  return sources.reduce((sum, source) => sum + (source[side].means.get(key) ?? NaN) * source[side].items, 0) / items;
}

interface Joined {
  readonly values: Float64Array;
  readonly base: Float64Array;
  readonly candidate: Float64Array;
  readonly parts: Float64Array | null;
  readonly source: Uint32Array;
  readonly pair: Uint32Array;
}

function join(key: string, sources: readonly PairedSamples[]): Joined {
  const columns = sources.flatMap(({ columns: own }) => own.get(key) ?? []);
  const size = columns.reduce((sum, { base }) => sum + base.filter((value) => !Number.isNaN(value)).length, 0);
  const hasParts = columns.some(({ parts }) => parts !== null);
  const joined = {
    values: new Float64Array(size),
    base: new Float64Array(size),
    candidate: new Float64Array(size),
    parts: hasParts ? new Float64Array(size) : null,
    source: new Uint32Array(size),
    pair: new Uint32Array(size),
  };
  let at = 0;
  for (const [source, column] of columns.entries()) {
    for (const [pair, before] of column.base.entries()) {
      if (Number.isNaN(before)) continue;
      const after = column.candidate[pair] ?? NaN;
      joined.base[at] = before;
      joined.candidate[at] = after;
      joined.values[at] = after - before;
      if (joined.parts) joined.parts[at] = column.parts?.[pair] ?? 1;
      joined.source[at] = source;
      joined.pair[at] = pair;
      at += 1;
    }
  }
  return joined;
}

const isBinary = (values: Float64Array): boolean => values.every((value) => value === 0 || value === 1);

interface Clustered {
  readonly clusters: Differences['clusters'];
  readonly by: string | null;
  readonly notes: readonly string[];
}

function clustersOf(sources: readonly PairedSamples[], joined: Joined, field: string | undefined): Clustered {
  const none: Clustered = { clusters: null, by: null, notes: [] };
  const byField = sources.every(({ clusters }) => clusters !== null);
  if (field !== undefined && !byField)
    return { ...none, notes: [`not clustered: not all samples have the field ${field}`] };
  if (!byField && sources.length === 1) return none;
  const names = namesBySample(sources, joined, field === undefined && sources.length > 1 ? 'parts' : 'clusters');
  const distinct = new Map<string, number>();
  for (const name of names) if (!distinct.has(name)) distinct.set(name, distinct.size);
  const by = field ?? (sources.length > 1 ? 'parts of the task' : 'category');
  const fewest = field === undefined ? fewestClusters : 2;
  if (distinct.size < fewest) {
    const isWorthSaying = distinct.size > 1 || field !== undefined;
    return { ...none, notes: isWorthSaying ? [`not clustered by ${by}: ${distinct.size} clusters are too few`] : [] };
  }
  return {
    clusters: { of: Uint32Array.from(names, (name) => distinct.get(name) ?? 0), count: distinct.size },
    by,
    notes: [],
  };
}

/** Names what each sample belongs to: its task of the harness, and its cluster within it. */
function namesBySample(sources: readonly PairedSamples[], joined: Joined, by: 'parts' | 'clusters'): string[] {
  return Array.from(joined.source, (source, at) => {
    const own = sources[source];
    const part = own?.path.join('/') ?? '';
    const cluster = own?.clusters?.[joined.pair[at] ?? 0];
    if (by === 'parts' || cluster === undefined) return part;
    const name = own?.clusterNames[cluster] ?? '';
    return sources.length > 1 ? `${part}: ${name}` : name;
  });
}

function partsOf(sources: readonly PairedSamples[], joined: Joined): ScoreSamples['parts'] {
  const hasClusters = sources.every(({ clusters }) => clusters !== null);
  if (sources.length === 1 && !hasClusters) return [];
  const names = namesBySample(sources, joined, sources.length > 1 ? 'parts' : 'clusters');
  const sums = new Map<string, { n: number; weight: number; sum: number }>();
  for (const [at, name] of names.entries()) {
    const own = sums.get(name) ?? { n: 0, weight: 0, sum: 0 };
    own.n += 1;
    own.weight += joined.parts?.[at] ?? 1;
    own.sum += joined.values[at] ?? 0;
    sums.set(name, own);
  }
  return [...sums].map(([name, { n, weight, sum }]) => ({ name, n, delta: sum / weight }));
}
