/** Records, as data, what each part of the schema accepts. The config reference and the JSON Schema for editors are made from it. */
import { z } from 'zod';

export type Schema = z.core.$ZodType;

export type Accepts =
  | { readonly kind: 'text'; readonly pattern?: RegExp; readonly expected?: string; readonly empty?: boolean }
  | { readonly kind: 'integer'; readonly min: number; readonly max?: number; readonly unit?: string }
  | { readonly kind: 'decimal'; readonly min: number; readonly max?: number; readonly above?: boolean }
  /** `zero`: zero is allowed. */
  | { readonly kind: 'duration'; readonly zero?: boolean }
  | { readonly kind: 'flag' }
  | { readonly kind: 'choice'; readonly allowed: readonly string[] }
  | { readonly kind: 'anything' }
  | { readonly kind: 'mapping' }
  /** Nothing, or something empty. */
  | { readonly kind: 'none' }
  /** Container variables; `needsPrefix`: text needs a prefix (`lit:`, `host:`, `runtime:`). */
  | { readonly kind: 'variables'; readonly needsPrefix: boolean }
  /** A key that callers present, by reference. */
  | { readonly kind: 'token' }
  | { readonly kind: 'nullable'; readonly inner: Schema }
  | { readonly kind: 'list'; readonly item: Schema }
  | { readonly kind: 'record'; readonly value: Schema }
  | { readonly kind: 'section'; readonly shape: Readonly<Record<string, Schema>> };

/** A registry entry survives `.refine()` and `.describe()`. Its type is `object`, since zod's types cannot hold schemas in metadata. */
const registry = z.registry<{ accepts: object }>();

/** Records what `schema` accepts, and returns it. */
export function accepting<T extends Schema>(accepts: Accepts, schema: T): T {
  registry.add(schema, { accepts });
  return schema;
}

/** What the documentation of a key needs. */
export interface Documentation {
  readonly accepts: Accepts;
  readonly description?: string;
  /** The schema's own default. */
  readonly default?: unknown;
  /** May be left out, and has no default. */
  readonly optional: boolean;
}

/** Returns what was recorded for a schema, looking through `.default()` and `.optional()`. Throws for a schema not made with fields.ts. */
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
    'This part of the schema does not record what it accepts: make it with a building block of fields.ts.',
  );
}
