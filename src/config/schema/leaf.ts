/** Values as the schema receives them: with their text as written and their origin. */
import { z } from 'zod';
import { pythonText } from '../hydra/python-text';
import type { ConfigNode, ScalarNode } from '../yaml/tree';
import { resolvePlain } from '../yaml/yaml-scalars';

/** A scalar with its text as written and its origin. `null` and absent values are not wrapped. */
export class Leaf {
  constructor(readonly node: ScalarNode) {}

  get value() {
    return this.node.value;
  }

  /** The text as written: `1.10` stays `1.10`. */
  get text(): string {
    return this.node.text ?? pythonText(this.node);
  }

  /** Reads text from the environment as YAML reads it in a file: `1e-3` as a number. Other values are returned as they are. */
  typed(): Leaf {
    const { value, env, ...rest } = this.node;
    if (env === undefined || typeof value !== 'string') return this;
    const text = value.trim();
    const plain = resolvePlain(text);
    if (typeof plain.value === 'string' || plain.value === null) return this;
    return new Leaf({ ...rest, env, text, ...plain });
  }
}

/** A part of the config as the schema receives it. */
export type RawValue = null | Leaf | readonly RawValue[] | { readonly [key: string]: RawValue };
export type RawMap = { readonly [key: string]: RawValue };

export function toRaw(node: ConfigNode): RawValue {
  switch (node.kind) {
    case 'scalar':
      return node.value === null ? null : new Leaf(node);
    case 'list':
      return node.items.map(toRaw);
    case 'map':
      return Object.fromEntries([...node.entries].map(([key, child]) => [key, toRaw(child)]));
  }
}

/** Returns plain JSON; big integers become numbers. */
export function toPlain(raw: RawValue): unknown {
  if (raw === null) return null;
  if (raw instanceof Leaf) return typeof raw.value === 'bigint' ? Number(raw.value) : raw.value;
  if (Array.isArray(raw)) return (raw as readonly RawValue[]).map(toPlain);
  return Object.fromEntries(Object.entries(raw as RawMap).map(([key, value]) => [key, toPlain(value)]));
}

type Context = z.core.$RefinementCtx;

/** Adds an issue about the value being parsed. */
export function refuse(context: Context, message: string, hint?: string, path: (string | number)[] = []): never {
  context.issues.push({
    code: 'custom',
    message,
    input: context.value,
    path,
    ...(hint === undefined ? {} : { params: { hint } }),
  });
  return z.NEVER;
}

/** Describes a value for a message. Values from the environment are not quoted, since they may be secrets, and long ones are truncated. */
export function describe(value: unknown): string {
  if (value === null) return 'null';
  if (value === undefined) return 'nothing';
  if (value instanceof Leaf) {
    const kind = typeof value.value === 'string' ? 'text' : typeof value.value === 'boolean' ? 'boolean' : 'number';
    if (value.node.env !== undefined) return `a ${kind} from the environment`;
    return `the ${kind} \`${value.text.length > 60 ? `${value.text.slice(0, 57)}…` : value.text}\``;
  }
  return Array.isArray(value) ? 'a list' : 'a mapping';
}

export const isUnset = (value: unknown): boolean => value === null || value === undefined;
