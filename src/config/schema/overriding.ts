/** Makes schemas of parts that are merged over others: the same keys, all optional and without defaults. */
import { z } from 'zod';
import { documentationOf } from './accepts';
import type { Schema } from './accepts';
import { section } from './section';

type Shape = Readonly<Record<string, Schema>>;

/** `refused`: keys that are left out, with the advice for who sets them; dotted below a section. */
export function overriding(shape: Shape, refused: Readonly<Record<string, string>> = {}) {
  return section(shapeOf(shape, refused), adviceAt('', refused));
}

function shapeOf(shape: Shape, refused: Readonly<Record<string, string>>): Record<string, z.ZodType> {
  return Object.fromEntries(
    Object.entries(shape)
      .filter(([key]) => !Object.hasOwn(refused, key))
      .map(([key, schema]) => [key, optionalPart(schema, below(key, refused))]),
  );
}

function optionalPart(schema: Schema, refused: Readonly<Record<string, string>>): z.ZodType {
  const { accepts, description } = documentationOf(schema);
  const part = (accepts.kind === 'section' ? overriding(accepts.shape, refused) : withoutDefault(schema)).optional();
  return description === undefined ? part : part.describe(description);
}

const withoutDefault = (schema: Schema): z.ZodType =>
  schema instanceof z.ZodDefault || schema instanceof z.ZodOptional
    ? withoutDefault(schema.def.innerType)
    : (schema as z.ZodType);

const below = (key: string, refused: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(refused).flatMap(([name, advice]) =>
      name.startsWith(`${key}.`) ? [[name.slice(key.length + 1), advice]] : [],
    ),
  );

const adviceAt = (prefix: string, refused: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(refused).filter(([name]) => name.startsWith(prefix) && !name.includes('.')));
