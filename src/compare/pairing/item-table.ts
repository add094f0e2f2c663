import { metricKey, type Item } from '../evidence/evidence';

/**
 * The items of one sample file, packed: a file may have hundreds of thousands. Several lines of one sample, for repeats or for other
 * filters, are one item; its repeats are averaged.
 */
export class ItemTable {
  /** Metric and filter → values by item. */
  readonly columns = new Map<string, Column>();
  readonly ids: (string | null)[] = [];
  readonly hashed: boolean[] = [];
  /** First line of each item. */
  readonly lines: number[] = [];
  readonly prompts: (string | null)[] = [];
  readonly targets: (string | null)[] = [];
  /** Index into `clusterNames`; -1: the item has none. */
  readonly clusters: number[] = [];
  readonly clusterNames: string[] = [];
  private readonly byKey = new Map<string, number>();
  private readonly clusterIndex = new Map<string, number>();

  get size(): number {
    return this.lines.length;
  }

  add(item: Item, cluster: string | null): void {
    const at = this.itemOf(item, cluster);
    for (const [metric, value] of Object.entries(item.values)) {
      const key = metricKey({ metric, filter: item.filter });
      let column = this.columns.get(key);
      if (!column) this.columns.set(key, (column = new Column()));
      column.add(at, value);
    }
  }

  /** Items by key, in the order of the file. */
  keys(): Iterable<[key: string, item: number]> {
    return this.byKey;
  }

  itemAt(key: string): number | undefined {
    return this.byKey.get(key);
  }

  /** Equal samples in one data set differ in their number: they are told apart by the order in which they come. */
  private itemOf(item: Item, cluster: string | null): number {
    const key = item.hash === null ? `id:${item.id}` : packed(item.hash);
    for (let occurrence = 1; ; occurrence += 1) {
      const full = occurrence === 1 ? key : `${key}#${occurrence}`;
      const known = this.byKey.get(full);
      if (known === undefined) return this.newItem(full, item, cluster);
      if (this.ids[known] === item.id) return known;
    }
  }

  private newItem(key: string, { hash, id, line, prompt, target }: Item, cluster: string | null): number {
    const at = this.size;
    this.byKey.set(key, at);
    this.lines.push(line);
    this.ids.push(id);
    this.hashed.push(hash !== null);
    this.prompts.push(prompt === null ? null : packed(prompt));
    this.targets.push(target === null ? null : packed(target));
    this.clusters.push(cluster === null ? -1 : this.clusterOf(cluster));
    return at;
  }

  private clusterOf(name: string): number {
    const known = this.clusterIndex.get(name);
    if (known !== undefined) return known;
    this.clusterIndex.set(name, this.clusterNames.length);
    return this.clusterNames.push(name) - 1;
  }
}

/** Values of one metric by item: sums, since a sample may have several numbers and repeats. */
export class Column {
  private readonly sums: number[] = [];
  private readonly parts: number[] = [];
  private readonly repeats: number[] = [];
  mostRepeats = 0;

  add(item: number, value: number | readonly number[]): void {
    while (this.sums.length <= item) {
      this.sums.push(0);
      this.parts.push(0);
      this.repeats.push(0);
    }
    const isList = typeof value !== 'number';
    const sum = isList ? value.reduce((total, part) => total + part, 0) : value;
    this.sums[item] = (this.sums[item] ?? 0) + sum;
    // A repeat with another number of parts makes the item unusable.
    const parts = isList ? value.length : 1;
    const before = this.repeats[item] ?? 0;
    this.parts[item] = before === 0 || this.parts[item] === parts ? parts : NaN;
    this.repeats[item] = before + 1;
    this.mostRepeats = Math.max(this.mostRepeats, before + 1);
  }

  /** Returns the sum over the item's parts, averaged over its repeats; NaN: it has no value. */
  sumAt(item: number): number {
    const repeats = this.repeats[item] ?? 0;
    return repeats === 0 ? NaN : (this.sums[item] ?? 0) / repeats;
  }

  /** Returns how many numbers the item has; 1 for most metrics. */
  partsAt(item: number): number {
    return (this.repeats[item] ?? 0) === 0 ? NaN : (this.parts[item] ?? NaN);
  }

  /** Returns the mean of all numbers, and how many items have one. */
  total(): { readonly mean: number; readonly items: number } {
    let sum = 0;
    let parts = 0;
    let items = 0;
    for (let at = 0; at < this.sums.length; at += 1) {
      const own = this.partsAt(at);
      if (Number.isNaN(own)) continue;
      sum += this.sumAt(at);
      parts += own;
      items += 1;
    }
    return { mean: parts === 0 ? NaN : sum / parts, items };
  }
}

/** A hexadecimal hash in 16 characters: 128 of its bits are enough. */
const packed = (hash: string): string =>
  /^[0-9a-f]{32,}$/.test(hash) ? Buffer.from(hash.slice(0, 32), 'hex').toString('latin1') : hash;
