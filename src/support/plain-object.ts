/** Whether a value, as parsed from JSON or YAML, is an object: not an array, not `null`. Pure. */
export const isPlainObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
