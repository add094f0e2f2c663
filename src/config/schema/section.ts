/** Mappings with a fixed set of keys. */
import { z } from 'zod';
import { accepting } from './accepts';
import { describe, isUnset, Leaf, refuse } from './leaf';

export interface SectionInfo {
  readonly allowed: readonly string[];
  /** Advice for keys that other tools have, or that belong elsewhere. */
  readonly advice: Readonly<Record<string, string>>;
  /** Advice for any other unknown key. */
  readonly otherwise?: string;
}

const sections: SectionInfo[] = [];
const marker = 'unknown-keys:';

/** A mapping with exactly these keys. Absent and null mean an empty one. */
export function section<S extends z.ZodRawShape>(
  shape: S,
  advice: Readonly<Record<string, string>> = {},
  otherwise?: string,
) {
  const id =
    sections.push({ allowed: Object.keys(shape), advice, ...(otherwise === undefined ? {} : { otherwise }) }) - 1;
  const object = z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys' ? `${marker}${id}` : `expected a mapping, found ${describe(issue.input)}`,
  });
  // To zod a `Leaf` is an object: do not let it pass as a mapping.
  const whole = z.preprocess((value, context) => {
    if (!(value instanceof Leaf)) return isUnset(value) ? {} : value;
    return refuse(context, `expected a mapping, found ${describe(value)}`, exampleOf(shape, value));
  }, object);
  return accepting({ kind: 'section', shape }, whole);
}

/** Returns how to write a single value as a mapping: a task given as `hellaswag` was meant as `name: hellaswag`. */
function exampleOf(shape: z.ZodRawShape, value: Leaf): string {
  const [first = 'KEY'] = Object.keys(shape);
  const short = value.node.env === undefined && /^[\w.-]{1,60}$/.test(value.text) ? value.text : 'VALUE';
  return `write \`${first}: ${short}\` below it`;
}

/** Returns the section that an unknown-keys issue is about. */
export function sectionOf(message: string): SectionInfo | undefined {
  return message.startsWith(marker) ? sections[Number(message.slice(marker.length))] : undefined;
}
