import type { DamagedItem, Item, ItemSource } from '../evidence/evidence';
import { ItemTable } from './item-table';
import { pairItems, type Pairs } from './pair-items';

/** The samples of one task of the harness on both sides. */
export interface PairedSamples {
  /** As in `ScoreEvidence`. */
  readonly path: readonly string[];
  readonly base: SampleSide;
  readonly candidate: SampleSide;
  readonly pairs: Omit<Pairs, 'base' | 'candidate'>;
  readonly n: number;
  /** Metric and filter → values by pair. */
  readonly columns: ReadonlyMap<string, PairedColumn>;
  /** Index into `clusterNames` by pair; `null`: not all items say what they belong to. */
  readonly clusters: Uint32Array | null;
  readonly clusterNames: readonly string[];
  /** Lines of the pairs in the two files. */
  readonly baseLines: Uint32Array;
  readonly candidateLines: Uint32Array;
}

export interface SampleSide {
  readonly file: string;
  /** Different samples in the file. */
  readonly items: number;
  /** Samples that were evaluated, by the summary; `null`: not known. */
  readonly expected: number | null;
  readonly damaged: number;
  /** E.g. `line 17: not JSON, or cut`. */
  readonly firstDamage: string | null;
  readonly isMean: boolean;
  /** Metric and filter → mean over all items of this side. */
  readonly means: ReadonlyMap<string, number>;
  readonly mostRepeats: number;
}

/** NaN in both where an item has no value, or another number of parts on the other side. */
export interface PairedColumn {
  readonly base: Float64Array;
  readonly candidate: Float64Array;
  /** Numbers that each item's value is the sum of; `null`: one each. */
  readonly parts: Float64Array | null;
}

export interface PairingOptions {
  /** Path of a field in the samples that says what they belong to, e.g. `doc.subject`. */
  readonly cluster: string | undefined;
}

/** Reads both files as streams and pairs their samples. Rejects with errors of the file system. */
export async function readPairs(
  base: ItemSource,
  candidate: ItemSource,
  options: PairingOptions,
): Promise<PairedSamples> {
  const one = await readTable(base, options);
  const other = await readTable(candidate, options);
  const { base: left, candidate: right, ...pairs } = pairItems(one.table, other.table);
  const keys = [...one.table.columns.keys()].filter((key) => other.table.columns.has(key));
  return {
    path: base.path,
    base: one.side,
    candidate: other.side,
    pairs,
    n: left.length,
    columns: new Map(keys.map((key) => [key, columnOf(key, { one: one.table, other: other.table, left, right })])),
    ...clustersOf(one.table, left),
    baseLines: left.map((at) => one.table.lines[at] ?? 0),
    candidateLines: right.map((at) => other.table.lines[at] ?? 0),
  };
}

async function readTable(
  source: ItemSource,
  { cluster }: PairingOptions,
): Promise<{ table: ItemTable; side: SampleSide }> {
  const table = new ItemTable();
  let damaged = 0;
  let firstDamage: DamagedItem | undefined;
  for await (const read of source.read()) {
    if (read.kind === 'item') table.add(read, cluster === undefined ? read.category : fieldOf(read, cluster));
    else {
      damaged += 1;
      firstDamage ??= read;
    }
  }
  const totals = [...table.columns].map(([key, column]) => [key, column.total().mean] as const);
  const side: SampleSide = {
    file: source.file,
    items: table.size,
    expected: source.expected,
    damaged,
    firstDamage: firstDamage ? `line ${firstDamage.line}: ${firstDamage.reason}` : null,
    isMean: source.isMean,
    means: new Map(totals),
    mostRepeats: Math.max(0, ...[...table.columns.values()].map(({ mostRepeats }) => mostRepeats)),
  };
  return { table, side };
}

function fieldOf({ content }: Item, field: string): string | null {
  let value: unknown = content;
  for (const key of field.split('.'))
    value = typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>)[key] : undefined;
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : null;
}

interface Sides {
  readonly one: ItemTable;
  readonly other: ItemTable;
  readonly left: Uint32Array;
  readonly right: Uint32Array;
}

function columnOf(key: string, { one, other, left, right }: Sides): PairedColumn {
  const [before, after] = [one.columns.get(key), other.columns.get(key)];
  const base = new Float64Array(left.length).fill(NaN);
  const candidate = new Float64Array(left.length).fill(NaN);
  const parts = new Float64Array(left.length).fill(1);
  let hasParts = false;
  for (const [at, item] of left.entries()) {
    const same = right[at] ?? 0;
    const count = before?.partsAt(item) ?? NaN;
    if (count !== after?.partsAt(same)) continue;
    base[at] = before?.sumAt(item) ?? NaN;
    candidate[at] = after.sumAt(same);
    parts[at] = count;
    hasParts ||= count !== 1;
  }
  return { base, candidate, parts: hasParts ? parts : null };
}

function clustersOf(
  { clusters, clusterNames }: ItemTable,
  left: Uint32Array,
): Pick<PairedSamples, 'clusters' | 'clusterNames'> {
  const own = Int32Array.from(left, (at) => clusters[at] ?? -1);
  return own.length === 0 || own.includes(-1)
    ? { clusters: null, clusterNames: [] }
    : { clusters: Uint32Array.from(own), clusterNames };
}
