/** Plain objects of the platform's specs. Pure. */

type JsonObject = Readonly<Record<string, unknown>>;

const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** `over` laid over `base`, key by key at every level; lists are replaced. */
export function mergeObjects(base: JsonObject, over: JsonObject): Record<string, unknown> {
  const result: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const existing = result[key];
    result[key] = isJsonObject(existing) && isJsonObject(value) ? mergeObjects(existing, value) : value;
  }
  return result;
}

/** A copy without one key: ours, or one that the platform does not know. */
export const without = (object: JsonObject, key: string): Record<string, unknown> =>
  Object.fromEntries(Object.entries(object).filter(([name]) => name !== key));
