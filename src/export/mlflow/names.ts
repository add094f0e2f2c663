import { parse } from 'yaml';

/** Names and texts as MLflow takes them, by the rules of NeMo Evaluator Launcher. Pure. */

const longestKey = 250;
const longestParameter = 250;
const longestTag = 5_000;

/** Returns a name for a metric, parameter or tag: `pass@1` becomes `pass_at_1`. */
export function keyOf(text: string): string {
  const key = text
    .replaceAll('pass@', 'pass_at_')
    .replace(/[^/\w.\- ]/g, '_')
    .replace(/_+/g, '_')
    .trim()
    .slice(0, longestKey);
  return key === '' ? 'key' : key;
}

const oneLine = (text: string): string => text.replace(/[\r\n]/g, ' ').trim();

export const parameterOf = (text: string): string => oneLine(text).slice(0, longestParameter);

export const tagOf = (text: string): string => oneLine(text).slice(0, longestTag);

/** Returns the values of a config, each by its dotted path below `config`; deeper ones as JSON. A config that is no YAML has none. */
export function flatConfig(yaml: string, maxDepth: number): Record<string, string> {
  let config: unknown;
  try {
    config = parse(yaml) as unknown;
  } catch {
    return {};
  }
  return Object.fromEntries(flatEntries(config, 'config', maxDepth));
}

function flatEntries(value: unknown, key: string, depth: number): [string, string][] {
  if (typeof value !== 'object' || value === null)
    return [[key, typeof value === 'string' ? value : JSON.stringify(value)]];
  if (depth <= 0) return [[key, JSON.stringify(value)]];
  return Object.entries(value).flatMap(([name, child]) => flatEntries(child, `${key}.${name}`, depth - 1));
}
