/** Schemas of single values. */
import { z } from 'zod';
import { parseDuration } from '../../support/duration';
import { nearestNames } from '../../support/nearest';
import { resolvePlain } from '../yaml/yaml-scalars';
import { accepting } from './accepts';
import { describe, Leaf, refuse } from './leaf';

/** Text; numbers and booleans are taken as written. */
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

/** A whole number, or text from an environment variable that is one. */
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

/** A number; `above` excludes the lower bound. */
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
 * A duration: seconds (`1200`), with a unit (`90s`, `30m`, `2h`, `1d`), or as a clock shows it (`02:08:45`). It is above zero
 * unless `zero` is set. The output is whole seconds.
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

/** Advice on a number that is ambiguous: YAML 1.1 reads `0700` as 448 and `1:30` as 90, but an override reads both as text. */
function ambiguity(value: unknown): string | undefined {
  if (!(value instanceof Leaf)) return undefined;
  const [, sign = '', digits] = /^([-+]?)0+([\d_]+)$/.exec(value.text) ?? [];
  if (digits !== undefined) return `remove the leading zero, which makes it octal: ${sign}${digits}`;
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

/** Returns the seconds of a duration in any notation; `undefined` if it is none. */
export function secondsOf(value: Leaf): number | undefined {
  const [, hours, minutes, seconds] = clockTime.exec(value.text.trim()) ?? [];
  if (minutes !== undefined && (hours === undefined || Number(minutes) < 60))
    return Number(hours ?? 0) * 3600 + Number(minutes) * 60 + Number(seconds);
  const number = numberOf(value);
  if (number !== undefined) return number;
  const ms = typeof value.value === 'string' ? parseDuration(value.value, ['s', 'm', 'h', 'd']) : undefined;
  return ms === undefined ? undefined : ms / 1000;
}
