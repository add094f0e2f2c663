import { isPlainObject } from '../support/plain-object';
import type { JsonObject } from './json';

/**
 * Applies a JSON Merge Patch (RFC 7396): `null` removes a key, objects merge, anything else (arrays too) replaces.
 * Pure.
 */
export function mergePatch(target: JsonObject, patch: JsonObject): JsonObject {
  const merged: JsonObject = { ...target };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else if (isPlainObject(value)) merged[key] = mergePatch(isPlainObject(merged[key]) ? merged[key] : {}, value);
    else merged[key] = value;
  }
  return merged;
}
