/**
 * Writes YAML that PyYAML, OmegaConf and YAML 1.2 parsers all read as the same values. Usual writers do not: their `1e-7` is
 * text to PyYAML. Text is quoted if any of the parsers could read it as something else. Pure.
 */
import { pythonFloat } from '../hydra/python-text';
import { resolvePlain } from './yaml-scalars';

export interface WritableScalar {
  readonly kind: 'scalar';
  readonly value: string | number | bigint | boolean | null;
  readonly float?: boolean;
  /** The number as it was written. */
  readonly text?: string;
}

export type Writable =
  | WritableScalar
  | { readonly kind: 'map'; readonly entries: Iterable<readonly [string, Writable]> }
  | { readonly kind: 'list'; readonly items: Iterable<Writable> };

type Annotate = (scalar: WritableScalar) => string | undefined;

/** Returns YAML in block style. `annotate` gives the comment to put after a scalar, if any. */
export const writeYaml = (root: Writable, annotate: Annotate = () => undefined): string =>
  `${linesOf(root, annotate).join('\n')}\n`;

/** Returns the lines of a value, without indentation. */
function linesOf(node: Writable, annotate: Annotate): string[] {
  if (node.kind === 'scalar') return [scalarText(node) + comment(node, annotate)];
  if (node.kind === 'list') {
    const items = [...node.items];
    if (items.length === 0) return ['[]'];
    return items.flatMap((item) => linesOf(item, annotate).map((line, index) => `${index === 0 ? '- ' : '  '}${line}`));
  }
  const entries = [...node.entries];
  if (entries.length === 0) return ['{}'];
  return entries.flatMap(([key, value]) => {
    const lines = linesOf(value, annotate);
    const inline = value.kind === 'scalar' || lines[0] === '{}' || lines[0] === '[]';
    return inline
      ? [`${quoteText(key)}: ${lines[0] ?? ''}`]
      : [`${quoteText(key)}:`, ...lines.map((line) => `  ${line}`)];
  });
}

function comment(node: WritableScalar, annotate: Annotate): string {
  const text = annotate(node);
  return text === undefined ? '' : `  # ${text.replaceAll(/\s+/g, ' ')}`;
}

function scalarText({ value, float, text }: WritableScalar): string {
  if (value === null) return 'null';
  if (typeof value === 'string') return quoteText(value);
  // Every parser reads `1.50` as the same number, so it can stay as written.
  if (text !== undefined && /^-?(?:0|[1-9]\d*)\.\d+$/.test(text) && Number(text) === value) return text;
  if (typeof value === 'number' && (float === true || !Number.isInteger(value))) return floatText(value);
  return String(value);
}

/** Returns a float with a point and a signed exponent, as PyYAML requires. */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return '.nan';
  if (!Number.isFinite(value)) return value < 0 ? '-.inf' : '.inf';
  const text = pythonFloat(value);
  return text.includes('e') && !text.includes('.') ? text.replace('e', '.0e') : text;
}

/** Returns the text plain if every parser reads it as this text, else in double quotes. */
export function quoteText(text: string): string {
  const plain =
    /^[A-Za-z_/.](?:[A-Za-z0-9_./@+-]|:(?=[A-Za-z0-9_./@+-]))*$/.test(text) &&
    typeof resolvePlain(text).value === 'string' &&
    !/^(?:y|n|inf|nan)$/i.test(text);
  if (plain) return text;
  const escaped = JSON.stringify(text).replaceAll(
    /[\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff0-\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return escaped.replaceAll(
    /(?:\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})/g,
    (pair) => JSON.parse(`"${pair}"`) as string,
  );
}
