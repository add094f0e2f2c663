/** One type for scores, from `results.yml` to the table, and the form in which payloads carry it. Pure. */

/** Numbers that JSON does not have go by name. */
export type MetricValue = number | 'NaN' | 'Infinity' | '-Infinity';

/** One score of a task. */
export interface Metric {
  /** Unique within its task, e.g. `hellaswag_acc_norm`, `mmlu_stem_acc`. */
  readonly name: string;
  readonly value: MetricValue;
  /** Standard error of the value; `null`: the harness gives none. */
  readonly stderr: MetricValue | null;
  /** Samples that the value was computed from; `null`: not known. */
  readonly count: number | null;
  /** Whether it belongs to a single task of the harness or to a group of them. */
  readonly kind: 'task' | 'group';
  /** The groups around it, outermost first, then its own task or group. Empty: not known, in records of older builds. */
  readonly path: readonly string[];
  /** What was measured, e.g. `acc_norm`. */
  readonly metric: string;
  /** Which score of that metric, e.g. `micro`; most metrics have a single one of the same name. */
  readonly score: string;
}

/** Flat name to value, a standard error as `<name>_stderr`. NaN and infinities go by name. */
export type Metrics = Readonly<Record<string, number | string>>;

/**
 * What a flat map does not say about one metric. To keep histories small, `path`, `kind` and `count` are absent where they are
 * those of the metric before; the first one follows `[]`, `task` and `null`.
 */
export interface MetricDetail {
  readonly path?: readonly string[];
  readonly kind?: Metric['kind'];
  readonly count?: number | null;
  readonly metric: string;
  /** Absent: the metric's own name. */
  readonly score?: string;
  /** Absent: the one that its place gives it (`metricName`). */
  readonly name?: string;
  /** Only where the flat map can't hold it, because `<name>_stderr` is a metric of its own. */
  readonly stderr?: MetricValue;
}

/**
 * Metrics as activity results, signals and snapshots carry them. The flat map is the older half, which every build reads; the
 * details make it exact. `metricsOf` reads both forms.
 */
export interface MetricPayload {
  readonly metrics: Metrics;
  /** Absent in payloads of older builds. */
  readonly metricDetails?: readonly MetricDetail[];
}

/** Returns the name by the rule of NVIDIA's launcher: `<groups…>_<task>_<metric>`, and `_<score>` where that differs. */
export const metricName = ({ path, metric, score }: Pick<Metric, 'path' | 'metric' | 'score'>): string =>
  [...path, ...(metric === score ? [metric] : [metric, score])].join('_');

/** Returns the flat map's name for a metric's standard error. */
export const errorName = (name: string): string => `${name}_stderr`;

/** Returns name to value, each standard error behind its metric: the form that JSON has had from the start. */
export function flatMetrics(metrics: readonly Metric[]): Metrics {
  const names = new Set(metrics.map(({ name }) => name));
  return Object.fromEntries(
    metrics.flatMap(({ name, value, stderr }): [string, MetricValue][] =>
      stderr === null || names.has(errorName(name))
        ? [[name, value]]
        : [
            [name, value],
            [errorName(name), stderr],
          ],
    ),
  );
}

/** Puts metrics into the form of payloads. */
export function metricPayload(metrics: readonly Metric[]): Required<MetricPayload> {
  const names = new Set(metrics.map(({ name }) => name));
  const metricDetails = metrics.map((metric, at) => detailOf(metric, { before: metrics[at - 1], names }));
  return { metrics: flatMetrics(metrics), metricDetails };
}

/** Returns how many entries the flat map of these metrics has, standard errors included. */
export const flatCount = (metrics: readonly Metric[]): number => Object.keys(flatMetrics(metrics)).length;

const nothingBefore = { path: [], kind: 'task', count: null } as const;

function detailOf(
  of: Metric,
  { before = nothingBefore, names }: { readonly before: Inherited | undefined; readonly names: ReadonlySet<string> },
): MetricDetail {
  const { name, stderr, count, kind, path, metric, score } = of;
  return {
    ...(isSamePath(before.path, path) ? {} : { path }),
    ...(before.kind === kind ? {} : { kind }),
    ...(before.count === count ? {} : { count }),
    metric,
    ...(score === metric ? {} : { score }),
    ...(name === metricName(of) ? {} : { name }),
    ...(stderr !== null && names.has(errorName(name)) ? { stderr } : {}),
  };
}

type Inherited = Pick<Metric, 'path' | 'kind' | 'count'>;

const isSamePath = (one: readonly string[], other: readonly string[]): boolean =>
  one === other || (one.length === other.length && one.every((name, at) => name === other[at]));

/** Returns the metrics of a payload of any build, in its order. */
export function metricsOf({ metrics, metricDetails = [] }: MetricPayload): readonly Metric[] {
  const values = new Map(Object.entries(metrics).map(([name, value]) => [name, metricValue(value)]));
  const placed = withPlaces(metricDetails);
  const names = new Set(placed.map(({ name }) => name));
  const detailed = placed.flatMap(({ stderr: ownError, name, ...place }): Metric[] => {
    const value = values.get(name);
    if (value === undefined) return [];
    const flatError = names.has(errorName(name)) ? undefined : values.get(errorName(name));
    return [{ name, value, stderr: ownError ?? flatError ?? null, ...place }];
  });
  const covered = new Set(detailed.flatMap(({ name }) => [name, errorName(name)]));
  return [...detailed, ...metricsOfFlat(new Map([...values].filter(([name]) => !covered.has(name))))];
}

type Placed = Omit<Metric, 'value' | 'stderr'> & { readonly stderr: MetricValue | undefined };

function withPlaces(details: readonly MetricDetail[]): Placed[] {
  let before: Inherited = nothingBefore;
  return details.map(({ metric, score = metric, stderr, ...detail }): Placed => {
    const { path = before.path, kind = before.kind, count = before.count } = detail;
    before = { path, kind, count };
    const name = detail.name ?? metricName({ path, metric, score });
    return { name, stderr, count, kind, path, metric, score };
  });
}

/** Reads a flat map of an older build: only its name tells what is a standard error, and of which metric. */
function metricsOfFlat(values: ReadonlyMap<string, MetricValue>): Metric[] {
  const errors = new Map<string, MetricValue>();
  for (const [name, value] of values) {
    if (isError(name) && values.has(subjectOf(name))) errors.set(subjectOf(name), value);
  }
  return [...values].flatMap(([name, value]): Metric[] => {
    if (isError(name) && values.has(subjectOf(name))) return [];
    const stderr = errors.get(name) ?? null;
    return [{ name, value, stderr, count: null, kind: 'task', path: [], metric: name, score: name }];
  });
}

const isError = (name: string): boolean => /(?:^|[._,/-])std_?err(?:$|[._,/-])/.test(name);

/** `acc_stderr` → `acc`, `hellaswag.acc.stderr` → `hellaswag.acc`. */
const subjectOf = (name: string): string => name.replace(/[._,/-]?std_?err/, '');

/** Returns a number as JSON can hold it; a text that names none of the three counts as `NaN`. */
export function metricValue(value: number | string): MetricValue {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  const text = String(value);
  return text === 'Infinity' || text === '-Infinity' ? text : 'NaN';
}

/** Returns the metrics that are the first `entries` of the flat map; the value and standard error of one stay together. */
export function firstMetrics(metrics: readonly Metric[], entries: number): readonly Metric[] {
  let left = entries;
  const end = metrics.findIndex(({ stderr }) => {
    left -= stderr === null ? 1 : 2;
    return left < 0;
  });
  return end < 0 ? metrics : metrics.slice(0, end);
}

/** Smaller values would lose their digits with four decimals. */
const small = 0.01;
/** Larger values need no decimals to differ. */
const large = 10_000;

/**
 * Returns a value for people: four decimals; of small numbers four significant digits (`0.00001`, `1.235e-7`), of large ones seven.
 * Infinities and NaN by name.
 */
export function valueText(value: MetricValue): string {
  if (typeof value !== 'number') return value;
  const size = Math.abs(value);
  if (Number.isInteger(value)) return size < 1e15 ? String(value) : String(Number(value.toPrecision(7)));
  if (size < small) return String(Number(value.toPrecision(4)));
  return size >= large ? String(Number(value.toPrecision(7))) : value.toFixed(4);
}
