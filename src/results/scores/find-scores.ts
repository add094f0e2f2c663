import { isPlainObject } from '../../support/plain-object';
import type { Metric } from '../../contract/metric';
import { describe, numberOf } from './number';

/** Collects the scores in the section `results` of a `results.yml`. Pure. */

/** A score without a name. */
export type FoundScore = Omit<Metric, 'name'>;

export interface Found {
  readonly scores: readonly FoundScore[];
  /** Values in the place of a score that are not numbers, as `task.metric.score ("n/a")`. */
  readonly unreadable: readonly string[];
  /** Tasks and groups without a score, either of their own or in a nested group, as `group mmlu`. */
  readonly empty: readonly string[];
}

/** Limit on scores and groups: YAML anchors can make a small file expand to millions. */
const maxNodes = 3_000_000;
/** Limit on groups within groups. */
const maxDepth = 50;

export class TooManyScores extends Error {
  override readonly name = 'TooManyScores';
}

/** Returns everything found in `groups` and `tasks`. Throws `TooManyScores`. */
export function findScores(sections: Readonly<Record<string, unknown>>): Found {
  const walk = new Walk();
  walk.entries(sections['groups'], [], 'group');
  walk.entries(sections['tasks'], [], 'task');
  return walk;
}

class Walk implements Found {
  readonly scores: FoundScore[] = [];
  readonly unreadable: string[] = [];
  readonly empty: string[] = [];
  private nodes = 0;

  entries(value: unknown, path: readonly string[], kind: FoundScore['kind']): void {
    for (const [name, body] of this.pairs(value, path.length === 0 ? [`${kind}s`] : [...path, 'groups']))
      this.entry(body, [...path, name], kind);
  }

  private entry(body: unknown, path: readonly string[], kind: FoundScore['kind']): void {
    const before = this.scores.length + this.unreadable.length + this.empty.length;
    if (path.length > maxDepth) return void this.unreadable.push(`${dotted(path)} (nested more than ${maxDepth} deep)`);
    if (!isPlainObject(body)) return void this.unreadable.push(`${dotted(path)} (${describe(body)})`);
    for (const [metric, content] of this.pairs(body['metrics'], [...path, 'metrics']))
      this.metric(content, { kind, path, metric });
    this.entries(body['groups'], path, 'group');
    if (this.scores.length + this.unreadable.length + this.empty.length === before)
      this.empty.push(`${kind} ${path.join('_')}`);
  }

  private metric(content: unknown, at: Pick<FoundScore, 'kind' | 'path' | 'metric'>): void {
    const { path, metric } = at;
    if (!isPlainObject(content) || !('scores' in content)) return this.score(content, { ...at, score: metric });
    for (const [score, value] of this.pairs(content['scores'], [...path, metric, 'scores']))
      this.score(value, { ...at, score });
  }

  /** Reads `{value, stats}`; a bare number counts as the value. */
  private score(content: unknown, at: Pick<FoundScore, 'kind' | 'path' | 'metric' | 'score'>): void {
    this.count();
    const value = isPlainObject(content) ? content['value'] : content;
    const number = numberOf(value);
    if (number === undefined) {
      const names = at.metric === at.score ? [at.metric] : [at.metric, at.score];
      return void this.unreadable.push(`${dotted([...at.path, ...names])} (${describe(value)})`);
    }
    const stats = isPlainObject(content) && isPlainObject(content['stats']) ? content['stats'] : {};
    const stderr = stats['stderr'] === null ? undefined : numberOf(stats['stderr']);
    const count = numberOf(stats['count']);
    this.scores.push({
      ...at,
      value: number,
      stderr: stderr ?? null,
      count: typeof count === 'number' ? count : null,
    });
  }

  private pairs(value: unknown, where: readonly string[]): [string, unknown][] {
    this.count();
    if (value === undefined || value === null) return [];
    if (isPlainObject(value)) return Object.entries(value);
    this.unreadable.push(`${dotted(where)} (${describe(value)})`);
    return [];
  }

  private count(): void {
    this.nodes += 1;
    if (this.nodes > maxNodes) throw new TooManyScores(`it holds more than ${maxNodes} scores and groups`);
  }
}

const dotted = (path: readonly string[]): string => path.join('.');
