/** Reads the list of tasks that an evaluation image carries, `framework.yml`. Pure. */
import { parse } from 'yaml';
import type { CatalogueTask } from '../config';
import { isPlainObject } from '../support/plain-object';

/** A task of an image, with the file's own description. */
export interface ImageTask extends CatalogueTask {
  readonly description?: string;
}

type Plain = Readonly<Record<string, unknown>>;

/** Returns the tasks of a framework.yml, the harness' defaults merged under each; `undefined` if the text is none. */
export function readFramework(text: string): readonly ImageTask[] | undefined {
  const file = parsed(text);
  const framework = objectAt(file, 'framework');
  const harness = framework['name'];
  const listed = file?.['evaluations'];
  if (typeof harness !== 'string' || !Array.isArray(listed)) return undefined;
  const defaults = objectAt(file, 'defaults');
  return listed.flatMap((entry: unknown): ImageTask[] => {
    const task = isPlainObject(entry) && entry['internal'] !== true ? taskOf(harness, defaults, entry) : undefined;
    return task === undefined ? [] : [task];
  });
}

function taskOf(harness: string, defaults: Plain, entry: Plain): ImageTask | undefined {
  const merged = mergedOver(defaults, objectAt(entry, 'defaults'));
  const config = objectAt(merged, 'config');
  const name = config['type'];
  if (typeof name !== 'string') return undefined;
  const params = objectAt(config, 'params');
  const endpoint = objectAt(objectAt(merged, 'target'), 'api_endpoint');
  const types = texts(config['supported_endpoint_types']);
  const capabilities = texts(config['required_capabilities']);
  const variables = variablesOf(typeof merged['command'] === 'string' ? merged['command'] : '', params['extra']);
  const { description } = entry;
  return {
    name,
    harness,
    endpoints: types.length > 0 ? types : ['chat'],
    ...(capabilities.length > 0 ? { capabilities } : {}),
    ...(Object.keys(params).length > 0 ? { params } : {}),
    ...(typeof endpoint['stream'] === 'boolean' ? { stream: endpoint['stream'] } : {}),
    ...(variables.length > 0 ? { variables } : {}),
    ...(typeof description === 'string' ? { description: description.trim() } : {}),
  };
}

/** Returns the variables that the command reads, and those that parameters name: `judge.api_key: JUDGE_API_KEY`. */
function variablesOf(command: string, extra: unknown): string[] {
  const set = new Set([...command.matchAll(/(?:^|[\s;&|(])(?:export\s+)?([A-Z][A-Z0-9_]*)=/g)].map(([, name]) => name));
  const read = [...command.matchAll(/\$\{?([A-Z][A-Z0-9_]{3,})/g)].flatMap(([, name]) =>
    name === undefined || set.has(name) ? [] : [name],
  );
  return [...new Set([...read, ...namedBelow(extra)])].sort();
}

const namedBelow = (value: unknown): string[] =>
  isPlainObject(value)
    ? Object.entries(value).flatMap(([key, inner]) =>
        typeof inner === 'string'
          ? key.includes('api_key') && /^[A-Z][A-Z0-9_]{3,}$/.test(inner)
            ? [inner]
            : []
          : namedBelow(inner),
      )
    : [];

/** Merges mappings key by key; null does not replace anything. */
function mergedOver(base: Plain, over: Plain): Plain {
  const keys = new Set([...Object.keys(base), ...Object.keys(over)]);
  return Object.fromEntries(
    [...keys].map((key) => {
      const [below, above] = [base[key], over[key] ?? undefined];
      if (isPlainObject(below) && isPlainObject(above)) return [key, mergedOver(below, above)];
      return [key, above === undefined ? below : above];
    }),
  );
}

const texts = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((each: unknown): each is string => typeof each === 'string') : [];

function objectAt(value: Plain | undefined, key: string): Plain {
  const inner = value?.[key];
  return isPlainObject(inner) ? inner : {};
}

function parsed(text: string): Plain | undefined {
  try {
    const value: unknown = parse(text, { version: '1.1', maxAliasCount: 100, logLevel: 'error' });
    return isPlainObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
