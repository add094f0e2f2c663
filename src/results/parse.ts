import { parse as parseYaml } from 'yaml';
import type { Metrics } from '../contract/state';

/** Reads the harness' `results.yml`. Pure. */

export interface ParsedResults {
  /** `<task>_<metric>`, or `<task>_<metric>_<score>` where metric and score have different names. */
  readonly metrics: Metrics;
  /** In the order of the file, nested groups after the group that holds them. */
  readonly tasks: readonly ResultEntry[];
}

export interface ResultEntry {
  readonly name: string;
  readonly kind: 'task' | 'group';
  /** How many samples its scores were computed from; `undefined` where the harness does not say. */
  readonly samples: number | undefined;
  readonly scores: readonly Score[];
}

export interface Score {
  readonly metric: string;
  readonly score: string;
  readonly value: number | string;
  /** `stderr`, `count`, … as the harness gives them. */
  readonly stats: Metrics;
}

/** Bytes; far beyond any real one: a job can write what it likes. */
export const longestText = 32 * 1024 * 1024;

/** What is wrong with a `results.yml`, and where in it. */
export class MalformedResults extends Error {
  override readonly name = 'MalformedResults';
}

/** Throws `MalformedResults` naming what is missing or wrong. A file without a single score is malformed: no result is no success. */
export function parseResults(text: string): ParsedResults {
  const results = asMapping(readDocument(text), 'the file')['results'];
  if (results === undefined || results === null) throw new MalformedResults('it has no section "results"');
  const sections = asMapping(results, 'results');
  const tasks = [
    ...readEntries(sections['groups'], 'results.groups', 'group'),
    ...readEntries(sections['tasks'], 'results.tasks', 'task'),
  ];
  const metrics = flatten(tasks);
  if (Object.keys(metrics).length === 0) throw new MalformedResults('its section "results" holds no score');
  return { metrics, tasks };
}

/** The metrics, each followed by its standard error as `<metric>_stderr` where the harness gives one. */
export function metricsWithErrors({ metrics, tasks }: ParsedResults): Metrics {
  const errors = new Map<string, number | string>();
  for (const { name, scores } of tasks) {
    for (const { metric, score, stats } of scores) {
      if (stats['stderr'] !== undefined) errors.set(keyOf(name, metric, score), stats['stderr']);
    }
  }
  const entries = Object.entries(metrics).flatMap(([key, value]): [string, number | string][] => {
    const error = errors.get(key);
    const errorKey = `${key}_stderr`;
    return error === undefined || errorKey in metrics
      ? [[key, value]]
      : [
          [key, value],
          [errorKey, error],
        ];
  });
  return Object.fromEntries(entries);
}

const keyOf = (name: string, metric: string, score: string): string =>
  metric === score ? `${name}_${metric}` : `${name}_${metric}_${score}`;

function readDocument(text: string): unknown {
  if (text.trim() === '') throw new MalformedResults('it is empty');
  if (text.length > longestText) throw new MalformedResults(`it is longer than ${longestText} characters`);
  try {
    return parseYaml(text, { logLevel: 'error' });
  } catch (error) {
    throw new MalformedResults(`it is not YAML: ${(error as Error).message.split('\n')[0]}`);
  }
}

function readEntries(value: unknown, where: string, kind: ResultEntry['kind']): ResultEntry[] {
  if (value === undefined || value === null) return [];
  return Object.entries(asMapping(value, where)).flatMap(([name, body]) => {
    const at = `${where}.${name}`;
    const entry = asMapping(body, at);
    const scores = readScores(entry['metrics'], `${at}.metrics`);
    const counts = scores.flatMap(({ stats }) => (typeof stats['count'] === 'number' ? [stats['count']] : []));
    const samples = counts.length === 0 ? undefined : Math.max(...counts);
    return [{ name, kind, samples, scores }, ...readEntries(entry['groups'], `${at}.groups`, 'group')];
  });
}

function readScores(value: unknown, where: string): Score[] {
  if (value === undefined || value === null) return [];
  return Object.entries(asMapping(value, where)).flatMap(([metric, body]) => {
    const scores = asMapping(asMapping(body, `${where}.${metric}`)['scores'], `${where}.${metric}.scores`);
    return Object.entries(scores).map(([score, content]) => {
      const at = `${where}.${metric}.scores.${score}`;
      const { value: number, stats } = asMapping(content, at);
      return { metric, score, value: asNumber(number, `${at}.value`), stats: readStats(stats) };
    });
  });
}

/** Stats decorate a score: what is no number among them is left out. */
function readStats(value: unknown): Metrics {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, stat]) => {
      const number = numberOf(stat);
      return number === undefined || stat === null ? [] : [[name, number]];
    }),
  );
}

function flatten(entries: readonly ResultEntry[]): Metrics {
  const metrics = new Map<string, number | string>();
  for (const { name, scores } of entries) {
    for (const { metric, score, value } of scores) {
      const key = keyOf(name, metric, score);
      const earlier = metrics.get(key);
      if (earlier !== undefined && earlier !== value) {
        throw new MalformedResults(`two scores are called ${key}, with the values ${earlier} and ${value}`);
      }
      metrics.set(key, value);
    }
  }
  return Object.fromEntries(metrics);
}

function asMapping(value: unknown, where: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new MalformedResults(`${where} is ${describe(value)}, not a mapping`);
}

function asNumber(value: unknown, where: string): number | string {
  const number = numberOf(value);
  if (number !== undefined) return number;
  throw new MalformedResults(`${where} is ${describe(value)}, not a number`);
}

/**
 * JSON has no infinities and no not-a-number: they become the strings `NaN`, `Infinity`, `-Infinity`, however the harness
 * wrote them. An explicit null is a score that could not be computed, hence `NaN`; what is no number at all, `undefined`.
 */
function numberOf(value: unknown): number | string | undefined {
  if (value === null) return 'NaN';
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value !== 'string') return undefined;
  if (/^\.?nan$/i.test(value)) return 'NaN';
  const infinity = /^([+-]?)\.?inf(inity)?$/i.exec(value);
  if (infinity) return infinity[1] === '-' ? '-Infinity' : 'Infinity';
  // PyYAML writes 1e-07 for what YAML 1.2 reads as a number and YAML 1.1 as text; either way it is one.
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value) ? Number(value) : undefined;
}

function describe(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'a mapping' : JSON.stringify(value).slice(0, 60);
}
