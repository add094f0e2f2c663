import type { FoundScore } from './found';
import type { Metric } from './metric';

/** Gives every score a name of its own. Pure. */

export interface Named {
  readonly metrics: readonly Metric[];
  /** One line per name that several different scores would have had. */
  readonly clashes: readonly string[];
}

/**
 * Names scores as NVIDIA's launcher does: `<groups…>_<task>_<metric>`, and `_<score>` where that has another name. A score
 * that is there twice with one value is one. Different values under one name are all kept, under their place in the file.
 */
export function nameScores(scores: readonly FoundScore[]): Named {
  const byName = new Map<string, FoundScore[]>();
  for (const score of scores) {
    const same = byName.get(nameOf(score));
    if (same) same.push(score);
    else byName.set(nameOf(score), [score]);
  }
  const taken = new Set(byName.keys());
  const clashes: string[] = [];
  const metrics = [...byName].flatMap(([name, same]): Metric[] => {
    if (new Set(same.map(({ value }) => value)).size === 1) return [metricOf(name, merged(same))];
    const apart = same.map((score) => metricOf(unused(placeOf(score), taken), score));
    const told = apart.map((metric) => `${metric.name} (${metric.value})`).join(' and ');
    clashes.push(`${same.length} scores would be called ${name}: they are shown as ${told}`);
    return apart;
  });
  return { metrics, clashes };
}

const nameOf = ({ path, metric, score }: FoundScore): string =>
  [...path, ...(metric === score ? [metric] : [metric, score])].join('_');

const placeOf = ({ kind, path, metric, score }: FoundScore): string =>
  [`${kind}s`, ...path, ...(metric === score ? [metric] : [metric, score])].join('.');

/** Of equal scores, the statistics that any of them has. */
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

const metricOf = (name: string, { kind, path, value, stderr, count }: FoundScore): Metric => ({
  name,
  value,
  stderr,
  count,
  kind,
  path,
});
