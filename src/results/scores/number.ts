import { metricValue, type MetricValue } from '../../contract/metric';

/** Numbers as harnesses write them. Pure. */

/**
 * Returns the number that a harness wrote. NaN and infinities, however written, become the strings that JSON carries them as. An
 * explicit null is a score that could not be computed, hence `NaN`. `undefined`: not a number.
 */
export function numberOf(value: unknown): MetricValue | undefined {
  if (value === null) return 'NaN';
  if (typeof value === 'number') return metricValue(value);
  if (typeof value !== 'string') return undefined;
  if (/^\.?nan$/i.test(value)) return 'NaN';
  const infinity = /^([+-]?)\.?inf(inity)?$/i.exec(value);
  if (infinity) return infinity[1] === '-' ? '-Infinity' : 'Infinity';
  // PyYAML writes 1e-07, which is a number in YAML 1.2 and text in YAML 1.1.
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value) ? metricValue(Number(value)) : undefined;
}

/** Describes a value for a message. */
export function describe(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'a mapping' : JSON.stringify(value).slice(0, 60);
}
