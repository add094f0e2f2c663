/** Works on JSON objects of the platform's specs. Pure. */

import { isPlainObject } from '../../support/plain-object';

type JsonObject = Readonly<Record<string, unknown>>;

/** Merges `over` into `base`, key by key at every level; lists are replaced. */
export function mergeObjects(base: JsonObject, over: JsonObject): Record<string, unknown> {
  const result: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const existing = result[key];
    result[key] = isPlainObject(existing) && isPlainObject(value) ? mergeObjects(existing, value) : value;
  }
  return result;
}

/** Returns a copy without one key. */
export const without = (object: JsonObject, key: string): Record<string, unknown> =>
  Object.fromEntries(Object.entries(object).filter(([name]) => name !== key));

/** Returns these keys of the object, as far as they are set. */
export const given = <T extends object, K extends keyof T & string>(
  object: T,
  keys: readonly K[],
): Partial<Pick<T, K>> =>
  Object.fromEntries(keys.flatMap((key) => (object[key] === undefined ? [] : [[key, object[key]]]))) as Partial<
    Pick<T, K>
  >;
