/** Values as Python's `str()` writes them: what an interpolation inside text puts there. Pure. */
import type { ScalarNode } from '../yaml/tree';

export function pythonText(node: Pick<ScalarNode, 'value' | 'float'>): string {
  const { value, float } = node;
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number' && float === true) return pythonFloat(value);
  return String(value);
}

/** As `pythonText`, but a number as it was written: `1.50`, and `695e0514`, which is no number to whoever wrote it. */
export function writtenText(node: Pick<ScalarNode, 'value' | 'float' | 'text'>): string {
  const isNumber = typeof node.value === 'number' || typeof node.value === 'bigint';
  return isNumber ? (node.text ?? pythonText(node)) : pythonText(node);
}

/** `repr` of a Python float: exponents below 1e-4 and from 1e16, at least two exponent digits, always a point or an exponent. */
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
  // JavaScript writes 1e-5 and 1e-6 … with an exponent below 1e-6 only: toFixed gives the plain form of the rest.
  const plain = Math.abs(value) < 1e-6 ? value.toFixed(20).replace(/0+$/, '') : String(value);
  return plain.includes('.') ? plain : `${plain}.0`;
}
