/** Building blocks of the schema: they read values as they were written, and say what was found and what is allowed. */
import { z } from 'zod';
import { nearestNames } from '../../support/nearest';
import { pythonText } from '../hydra/python-text';
import { accepting } from './accepts';
import { resolvePlain } from '../yaml/yaml-scalars';
import type { ConfigNode, ScalarNode } from '../yaml/tree';
import { parseDuration } from '../../support/duration';

/** A scalar on its way into the schema: with its text as written and where it came from. `null` and absence stay plain. */
export class Leaf {
  constructor(readonly node: ScalarNode) {}

  get value() {
    return this.node.value;
  }

  /** As it was written: `1.10` stays `1.10`. */
  get text(): string {
    return this.node.text ?? pythonText(this.node);
  }
}

/** A part of the config that passes through as it is. */
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

/** Plain JSON of a raw value; big integers become numbers. For the platform's wire objects. */
export function toPlain(raw: RawValue): unknown {
  if (raw === null) return null;
  if (raw instanceof Leaf) return typeof raw.value === 'bigint' ? Number(raw.value) : raw.value;
  if (Array.isArray(raw)) return (raw as readonly RawValue[]).map(toPlain);
  return Object.fromEntries(Object.entries(raw as RawMap).map(([key, value]) => [key, toPlain(value)]));
}

type Context = z.core.$RefinementCtx;

/** Reports a problem with the value at hand. */
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

/** What a value is, for a message; secrets don't belong here, so only short single values are quoted. */
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

const isUnset = (value: unknown): boolean => value === null || value === undefined;

/** Text; a number or a boolean is taken as it was written. */
export const text = (options: { pattern?: RegExp; expected?: string; empty?: boolean } = {}) =>
  accepting(
    { kind: 'text', ...options },
    z.transform((value, context): string => {
      if (!(value instanceof Leaf))
        return refuse(context, `expected ${options.expected ?? 'text'}, found ${describe(value)}`);
      const found = value.text;
      if (found === '' && options.empty !== true)
        return refuse(context, `expected ${options.expected ?? 'text'}, found empty text`);
      if (found.includes('\0')) return refuse(context, 'a NUL character is not allowed');
      if (options.pattern !== undefined && !options.pattern.test(found))
        return refuse(context, `expected ${options.expected ?? String(options.pattern)}, found ${describe(value)}`);
      return found;
    }),
  );

/** Text that keeps its origin, where a secret may stand. */
export const leaf = () =>
  accepting(
    { kind: 'text' },
    z.transform((value, context): Leaf =>
      value instanceof Leaf ? value : refuse(context, `expected a single value, found ${describe(value)}`),
    ),
  );

export const flag = () =>
  accepting(
    { kind: 'flag' },
    z.transform((value, context): boolean => {
      if (value instanceof Leaf && typeof value.value === 'boolean') return value.value;
      if (value instanceof Leaf && value.node.env !== undefined && /^(?:true|false)$/i.test(value.text))
        return value.text.toLowerCase() === 'true';
      return refuse(context, `expected true or false, found ${describe(value)}`);
    }),
  );

/** A whole number; text from an environment variable that is one counts. */
export const integer = (range: { min: number; max?: number; unit?: string }) =>
  accepting(
    { kind: 'integer', ...range },
    z.transform((value, context): number => {
      const wanted = `a whole number${range.unit === undefined ? '' : ` of ${range.unit}`} ${range.max === undefined ? `of at least ${range.min}` : `from ${range.min} to ${range.max}`}`;
      const found = value instanceof Leaf ? numberOf(value) : undefined;
      if (found === undefined || !Number.isSafeInteger(found) || found < range.min || found > (range.max ?? Infinity)) {
        return refuse(context, `expected ${wanted}, found ${describe(value)}`, ambiguity(value));
      }
      return found;
    }),
  );

/** `above`: the lower bound itself is not allowed. */
export const decimal = (range: { min: number; max?: number; above?: boolean }) =>
  accepting(
    { kind: 'decimal', ...range },
    z.transform((value, context): number => {
      const found = value instanceof Leaf ? numberOf(value) : undefined;
      const isLow = (number: number): boolean => number < range.min || (range.above === true && number === range.min);
      if (found === undefined || !Number.isFinite(found) || isLow(found) || found > (range.max ?? Infinity)) {
        const wanted = range.above === true ? `above ${range.min}` : `of at least ${range.min}`;
        return refuse(
          context,
          `expected a number ${range.max === undefined ? wanted : `from ${range.min} to ${range.max}`}, found ${describe(value)}`,
          ambiguity(value),
        );
      }
      return found;
    }),
  );

/**
 * A duration: seconds (`1200`), with a unit (`90s`, `30m`, `2h`, `1d`), or as a clock shows it (`02:08:45`). Above zero, unless
 * `zero` has a meaning too. Gives whole seconds.
 */
export const duration = ({ zero = false } = {}) =>
  accepting(
    { kind: 'duration', ...(zero ? { zero } : {}) },
    z.transform((value, context): number => {
      const seconds = value instanceof Leaf ? secondsOf(value) : undefined;
      const isEnough = seconds !== undefined && (zero ? seconds >= 0 : seconds > 0);
      if (isEnough && seconds <= 365 * 86_400) return Math.ceil(seconds);
      return refuse(
        context,
        `expected a duration ${zero ? 'of zero or more' : 'above zero'} and up to a year, found ${describe(value)}`,
        ambiguity(value) ?? 'seconds (1200), with a unit (90s, 30m, 2h, 1d), or hours:minutes:seconds (02:30:00)',
      );
    }),
  );

export const choice = <const T extends string>(...allowed: readonly T[]) =>
  accepting(
    { kind: 'choice', allowed },
    z.transform((value, context): T => {
      const found = value instanceof Leaf ? allowed.find((option) => option === value.text) : undefined;
      return (
        found ??
        refuse(
          context,
          `expected one of ${allowed.map((option) => `\`${option}\``).join(', ')}, found ${describe(value)}`,
          nearestOf(value, allowed),
        )
      );
    }),
  );

function nearestOf(value: unknown, allowed: readonly string[]): string | undefined {
  const [near] = value instanceof Leaf ? nearestNames(value.text, allowed) : [];
  return near === undefined ? undefined : `did you mean \`${near}\`?`;
}

/** Anything; checked, if at all, by whoever it is for. */
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

/** The setting is optional, and null says the same as leaving it out. */
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

/** Nothing, or an empty mapping or list: whatever is in it has no effect. */
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

export interface SectionInfo {
  readonly allowed: readonly string[];
  /** Keys that are known elsewhere, with what to do instead. */
  readonly advice: Readonly<Record<string, string>>;
  /** Where a key goes that is neither. */
  readonly otherwise?: string;
}

const sections: SectionInfo[] = [];
const marker = 'unknown-keys:';

/** A mapping with exactly these keys. Absent and null are an empty one. */
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
  // A single value is an object to the library: it must not be taken for a mapping.
  const whole = z.preprocess((value, context) => {
    if (!(value instanceof Leaf)) return isUnset(value) ? {} : value;
    return refuse(context, `expected a mapping, found ${describe(value)}`, exampleOf(shape, value));
  }, object);
  return accepting({ kind: 'section', shape }, whole);
}

/** `hellaswag` where a task belongs was meant to be its name. */
function exampleOf(shape: z.ZodRawShape, value: Leaf): string {
  const [first = 'KEY'] = Object.keys(shape);
  const short = value.node.env === undefined && /^[\w.-]{1,60}$/.test(value.text) ? value.text : 'VALUE';
  return `write \`${first}: ${short}\` below it`;
}

/** The section an unknown-keys issue is about. */
export function sectionOf(message: string): SectionInfo | undefined {
  return message.startsWith(marker) ? sections[Number(message.slice(marker.length))] : undefined;
}

/** Why a number is not guessed at: YAML 1.1 reads `0700` as 448 and `1:30` as 90, an override reads both as text. */
function ambiguity(value: unknown): string | undefined {
  if (!(value instanceof Leaf)) return undefined;
  const [, sign = '', digits] = /^([-+]?)0+([\d_]+)$/.exec(value.text) ?? [];
  if (digits !== undefined) return `without the zero in front, which makes it octal: ${sign}${digits}`;
  return /^[-+]?[\d_]+(?::[\d_]+)+\.?[\d_]*$/.test(value.text) ? 'colons make it a number in base 60' : undefined;
}

function numberOf(value: Leaf): number | undefined {
  if (ambiguity(value) !== undefined) return undefined;
  if (typeof value.value === 'number') return value.value;
  if (typeof value.value === 'bigint') return Number(value.value);
  const numeric =
    value.node.env !== undefined && typeof value.value === 'string'
      ? resolvePlain(value.value.trim()).value
      : undefined;
  return typeof numeric === 'number' ? numeric : typeof numeric === 'bigint' ? Number(numeric) : undefined;
}

/** Hours, minutes and seconds, or the last two of them. */
const clockTime = /^(?:(\d{1,4}):)?(\d{1,4}):([0-5]\d)$/;

/** Returns the seconds of a duration, however it is written; `undefined` if it is none. */
export function secondsOf(value: Leaf): number | undefined {
  const [, hours, minutes, seconds] = clockTime.exec(value.text.trim()) ?? [];
  if (minutes !== undefined && (hours === undefined || Number(minutes) < 60))
    return Number(hours ?? 0) * 3600 + Number(minutes) * 60 + Number(seconds);
  const number = numberOf(value);
  if (number !== undefined) return number;
  const ms = typeof value.value === 'string' ? parseDuration(value.value, ['s', 'm', 'h', 'd']) : undefined;
  return ms === undefined ? undefined : ms / 1000;
}
