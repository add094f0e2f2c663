import { isPlainObject } from '../../support/plain-object';
import { type JsonObject } from '../json';

/** Variables that say which run a job belongs to: names and numbers, never a secret. */
const ownVariable = /^EVALSAGA_(?!API_KEY$|URL_SECRET_)/;

/**
 * Removes the values of variables from the spec of an archived job: nothing needs them any more, and some are
 * secrets. Pure.
 */
export function archivedSpec(spec: JsonObject): JsonObject {
  const envs = spec['envs'];
  if (!Array.isArray(envs)) return spec;
  return { ...spec, envs: envs.map((entry: unknown) => withoutValue(entry)) };
}

function withoutValue(entry: unknown): unknown {
  if (!isPlainObject(entry) || !('value' in entry)) return entry;
  const { name } = entry;
  return typeof name === 'string' && ownVariable.test(name) ? entry : { ...entry, value: '***' };
}
