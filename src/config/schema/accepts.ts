/** What a part of the schema accepts, kept beside it as data: the reference and the editors' JSON Schema are made from this. */
import { z } from 'zod';

export type Schema = z.core.$ZodType;

export type Accepts =
  | { readonly kind: 'text'; readonly pattern?: RegExp; readonly expected?: string; readonly empty?: boolean }
  | { readonly kind: 'integer'; readonly min: number; readonly max?: number; readonly unit?: string }
  | { readonly kind: 'decimal'; readonly min: number; readonly max?: number; readonly above?: boolean }
  /** `zero`: may be nothing. */
  | { readonly kind: 'duration'; readonly zero?: boolean }
  | { readonly kind: 'flag' }
  | { readonly kind: 'choice'; readonly allowed: readonly string[] }
  | { readonly kind: 'anything' }
  | { readonly kind: 'mapping' }
  /** Nothing, or something empty. */
  | { readonly kind: 'none' }
  /** Container variables; `needsPrefix`: a text must say where it comes from (`lit:`, `host:`, `runtime:`). */
  | { readonly kind: 'variables'; readonly needsPrefix: boolean }
  /** A key that callers present, by reference. */
  | { readonly kind: 'token' }
  | { readonly kind: 'nullable'; readonly inner: Schema }
  | { readonly kind: 'list'; readonly item: Schema }
  | { readonly kind: 'record'; readonly value: Schema }
  | { readonly kind: 'section'; readonly shape: Readonly<Record<string, Schema>> };

/** The library's registry is what survives `.refine()` and `.describe()`; its types can't hold schemas within notes. */
const registry = z.registry<{ accepts: object }>();

/** `schema`, with a note of what it accepts. Refining or describing it keeps the note. */
export function accepting<T extends Schema>(accepts: Accepts, schema: T): T {
  registry.add(schema, { accepts });
  return schema;
}

/** One place in the config, as its documentation needs it. */
export interface Documentation {
  readonly accepts: Accepts;
  readonly description?: string;
  /** What the schema itself puts where nothing is written. */
  readonly default?: unknown;
  /** May be left out without any value taking its place. */
  readonly optional: boolean;
}

/** Looks through `.default()` and `.optional()` for what is noted. Throws for a schema that no building block made. */
export function documentationOf(schema: Schema): Documentation {
  const description = z.globalRegistry.get(schema)?.description;
  const described = description === undefined ? {} : { description };
  const accepts = registry.get(schema)?.accepts as Accepts | undefined;
  if (accepts !== undefined) return { accepts, ...described, optional: false };
  if (schema instanceof z.ZodDefault)
    return { ...documentationOf(schema.def.innerType), ...described, default: schema.def.defaultValue };
  if (schema instanceof z.ZodOptional)
    return { ...documentationOf(schema.def.innerType), ...described, optional: true };
  throw new Error(
    'This part of the schema has no note of what it accepts: make it with a building block of fields.ts.',
  );
}
