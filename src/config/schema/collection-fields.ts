/** Schemas of mappings, lists and optional values. */
import { z } from 'zod';
import { accepting } from './accepts';
import { describe, isUnset, Leaf, refuse } from './leaf';
import type { RawMap, RawValue } from './leaf';

/** Any value, passed on unchecked. */
export const anything = () =>
  accepting(
    { kind: 'anything' },
    z.transform((value): RawValue => (value === undefined ? null : (value as RawValue))),
  );

export const mapping = () =>
  accepting(
    { kind: 'mapping' },
    z.transform((value, context): RawMap => {
      if (isUnset(value)) return {};
      if (value instanceof Leaf || Array.isArray(value))
        return refuse(context, `expected a mapping, found ${describe(value)}`);
      return value as RawMap;
    }),
  );

/** An optional value; null means the same as leaving it out. */
export const orNull = <T extends z.ZodType>(schema: T) =>
  accepting(
    { kind: 'nullable', inner: schema },
    z
      .preprocess((value) => (value === undefined ? null : value), z.union([z.null(), schema]))
      .transform((value): z.output<T> | null => value as z.output<T> | null),
  );

export const listOf = <T extends z.ZodType>(schema: T) =>
  accepting(
    { kind: 'list', item: schema },
    z.preprocess(
      (value) => (isUnset(value) ? [] : value),
      z.array(schema, { error: (issue) => `expected a list, found ${describe(issue.input)}` }),
    ),
  );

export const recordOf = <T extends z.ZodType>(schema: T) =>
  accepting(
    { kind: 'record', value: schema },
    z.preprocess(
      (value) => (isUnset(value) ? {} : value),
      z.record(z.string(), schema, { error: (issue) => `expected a mapping, found ${describe(issue.input)}` }),
    ),
  );

/** Accepts only null or something empty: the key has no effect. */
export const none = (advice: string) =>
  accepting(
    { kind: 'none' },
    z.transform((value, context): null => {
      const isEmpty =
        isUnset(value) || (typeof value === 'object' && value !== null && Object.keys(value).length === 0);
      if (isEmpty && !(value instanceof Leaf)) return null;
      return refuse(context, 'has no effect here', advice);
    }),
  );
