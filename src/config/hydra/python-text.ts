/** Writes values as Python's `str()` does, for interpolations inside text. Pure. */
import type { ScalarNode } from '../yaml/tree';

export function pythonText(node: Pick<ScalarNode, 'value' | 'float'>): string {
  const { value, float } = node;
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number' && float === true) return pythonFloat(value);
  return String(value);
}

/** Like `pythonText`, but keeps a number as it was written: `1.50`, or the commit id `695e0514`. */
export function writtenText(node: Pick<ScalarNode, 'value' | 'float' | 'text'>): string {
  const isNumber = typeof node.value === 'number' || typeof node.value === 'bigint';
  return isNumber ? (node.text ?? pythonText(node)) : pythonText(node);
}

/** Returns `repr` of a Python float: an exponent below 1e-4 and from 1e16, with at least two digits; else always a point. */
export function pythonFloat(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value < 0 ? '-inf' : 'inf';
  if (Object.is(value, -0)) return '-0.0';
  if (value === 0) return '0.0';
  const [digits = '', exponentText = '0'] = value.toExponential().split('e');
  const exponent = Number(exponentText);
  if (exponent < -4 || exponent >= 16) {
    const sign = exponent < 0 ? '-' : '+';
    return `${digits}e${sign}${String(Math.abs(exponent)).padStart(2, '0')}`;
  }
  // JavaScript uses an exponent below 1e-6.
  const plain = Math.abs(value) < 1e-6 ? value.toFixed(20).replace(/0+$/, '') : String(value);
  return plain.includes('.') ? plain : `${plain}.0`;
}
