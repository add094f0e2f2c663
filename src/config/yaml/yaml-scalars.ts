/**
 * Resolves plain YAML scalars as OmegaConf does: by PyYAML's YAML 1.1 rules without timestamps, and with OmegaConf's own
 * pattern for floats (`1e-5` is a number). Pure.
 */
import type { ScalarValue } from './tree';

export interface PlainScalar {
  readonly value: ScalarValue;
  readonly float?: boolean;
  /** Has the form of a number but no digits (`0x_`): PyYAML fails on it. */
  readonly invalid?: boolean;
}

const booleans = /^(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$/;
const truths = /^(?:yes|true|on)$/i;
const nulls = /^(?:~|null|Null|NULL|)$/;
const integers =
  /^(?:[-+]?0b[0-1_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+)$/;
const pyyamlFloats =
  /^(?:[-+]?(?:[0-9][0-9_]*)\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/;
const omegaFloats =
  /^(?:[-+]?[0-9]+(?:_[0-9]+)*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+)|\.[0-9]+(?:_[0-9]+)*(?:[eE][-+][0-9]+)?)$/;

/** Returns the value of an unquoted scalar. */
export function resolvePlain(text: string): PlainScalar {
  if (booleans.test(text)) return { value: truths.test(text) };
  if (nulls.test(text)) return { value: null };
  if (pyyamlFloats.test(text)) return { value: parseFloatText(text), float: true };
  if (/^[-+]?0[bx]_+$/.test(text)) return { value: text, invalid: true };
  if (integers.test(text)) return { value: narrow(parseInteger(text)) };
  if (omegaFloats.test(text)) return { value: parseFloatText(text), float: true };
  return { value: text };
}

/** Returns a number where that is exact, else (beyond 2^53) the bigint. */
export const narrow = (value: bigint): number | bigint =>
  value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;

function parseInteger(text: string): bigint {
  const plain = text.replaceAll('_', '');
  const sign = plain.startsWith('-') ? -1n : 1n;
  const digits = plain.replace(/^[-+]/, '');
  if (/^0[bx]/.test(digits)) return sign * BigInt(digits);
  if (digits.includes(':')) return sign * digits.split(':').reduce((sum, part) => sum * 60n + BigInt(part), 0n);
  if (digits.length > 1 && digits.startsWith('0')) return sign * BigInt(`0o${digits.slice(1)}`);
  return sign * BigInt(digits);
}

function parseFloatText(text: string): number {
  const plain = text.replaceAll('_', '').toLowerCase();
  const sign = plain.startsWith('-') ? -1 : 1;
  const digits = plain.replace(/^[-+]/, '');
  if (digits === '.inf') return sign * Infinity;
  if (digits === '.nan') return Number.NaN;
  // Summed from the last part, as in PyYAML, so that the rounding is the same.
  if (digits.includes(':'))
    return (
      sign *
      digits.split(':').reduceRight((sum, part, at, { length }) => sum + Number(part) * 60 ** (length - 1 - at), 0)
    );
  return sign * Number(digits);
}
