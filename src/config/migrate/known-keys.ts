/** Asks the schema which keys this version has, so that rules follow it. */
import { documentationOf } from '../schema/accepts';
import { configSchema } from '../schema/config';

export function isKnownKey(path: readonly string[]): boolean {
  let accepts = documentationOf(configSchema('none')).accepts;
  for (const key of path) {
    if (accepts.kind !== 'section' || !Object.hasOwn(accepts.shape, key)) return false;
    const inner = accepts.shape[key];
    if (inner === undefined) return false;
    accepts = documentationOf(inner).accepts;
  }
  return true;
}
