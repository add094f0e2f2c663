import type { FoundScore } from './find-scores';
import { errorName, metricName, type Metric } from '../../contract/metric';

/** Gives every score a unique name. Pure. */

export interface Named {
  readonly metrics: readonly Metric[];
  /** One line per name that several different scores would have. */
  readonly clashes: readonly string[];
}

/**
 * Names scores as NVIDIA's launcher does (`metricName`). A score that occurs twice with the same value counts once. Different
 * values under one name are all kept, each named after its place in the file.
 */
export function nameScores(scores: readonly FoundScore[]): Named {
  const byName = new Map<string, FoundScore[]>();
  for (const score of scores) {
    const same = byName.get(metricName(score));
    if (same) same.push(score);
    else byName.set(metricName(score), [score]);
  }
  const taken = new Set(byName.keys());
  const clashes: string[] = [];
  const metrics = [...byName].flatMap(([name, same]): Metric[] => {
    if (new Set(same.map(({ value }) => value)).size === 1) return [metricOf(name, merged(same))];
    const apart = same.map((score) => metricOf(unused(placeOf(score), taken), score));
    const listed = apart.map((metric) => `${metric.name} (${metric.value})`).join(' and ');
    clashes.push(`${same.length} scores would be called ${name}: they are shown as ${listed}`);
    return apart;
  });
  return { metrics: withErrorsInPlace(metrics), clashes };
}

/** Some harnesses give a standard error as a metric of its own beside the one that it belongs to, as `acc_stderr` beside `acc`. */
function withErrorsInPlace(metrics: readonly Metric[]): readonly Metric[] {
  const byName = new Map(metrics.map((metric) => [metric.name, metric]));
  const errors = new Set<string>();
  const complete = metrics.map((metric): Metric => {
    const error = byName.get(errorName(metric.name));
    if (!error || metric.stderr !== null || error.stderr !== null) return metric;
    if (error.path.join('.') !== metric.path.join('.')) return metric;
    errors.add(error.name);
    return { ...metric, stderr: error.value };
  });
  return complete.filter(({ name }) => !errors.has(name));
}

const placeOf = ({ kind, path, metric, score }: FoundScore): string =>
  [`${kind}s`, ...path, ...(metric === score ? [metric] : [metric, score])].join('.');

/** Merges equal scores, with the statistics that any of them has. */
function merged(same: readonly FoundScore[]): FoundScore {
  const [first] = same;
  if (!first) throw new Error('no score to merge');
  const stderr = same.find((score) => score.stderr !== null)?.stderr ?? null;
  const count = same.find((score) => score.count !== null)?.count ?? null;
  return { ...first, stderr, count };
}

function unused(name: string, taken: Set<string>): string {
  let free = name;
  for (let number = 2; taken.has(free); number += 1) free = `${name}.${number}`;
  taken.add(free);
  return free;
}

const metricOf = (name: string, { value, stderr, count, kind, path, metric, score }: FoundScore): Metric => ({
  name,
  value,
  stderr,
  count,
  kind,
  path,
  metric,
  score,
});
