/** Bodies are stored as posted, so most of the platform handles them as plain JSON objects. */
import { isPlainObject } from '../support/plain-object';

export type JsonObject = Record<string, unknown>;

/** Returns `value[key]` if both are objects, else an empty object. */
export const objectAt = (value: unknown, key: string): JsonObject =>
  isPlainObject(value) && isPlainObject(value[key]) ? value[key] : {};

export const textAt = (value: unknown, key: string): string | undefined =>
  isPlainObject(value) && typeof value[key] === 'string' ? value[key] : undefined;

export const numberAt = (value: unknown, key: string): number | undefined =>
  isPlainObject(value) && typeof value[key] === 'number' ? value[key] : undefined;

/** Drops keys whose value is `undefined` or `null`: the service's clients send nulls only in patches. */
export const withoutNulls = (value: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== null && entry !== undefined));
