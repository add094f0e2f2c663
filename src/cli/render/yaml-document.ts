/**
 * Writes YAML in the form of the library `yaml`, many times faster for documents whose texts repeat: what a run of thousands of tasks would
 * create has tens of megabytes. Pure.
 */
import { stringify } from 'yaml';

const options = { lineWidth: 0, aliasDuplicateObjects: false } as const;

/** Texts that are remembered: most of a document's are keys and a few values. */
const mostKnown = 10_000;

/** Returns plain data, as JSON would hold it, as YAML in block style. Ends with a line break. */
export function yamlDocument(value: unknown): string {
  const known = new Map<string, readonly string[]>();
  const scalar = (value: unknown): readonly string[] => {
    if (typeof value === 'number' && Number.isSafeInteger(value) && !Object.is(value, -0)) return [String(value)];
    if (typeof value !== 'string') return [stringify(value ?? null, options).trimEnd()];
    const before = known.get(value);
    if (before !== undefined) return before;
    const lines = textLines(value);
    if (known.size < mostKnown) known.set(value, lines);
    return lines;
  };
  return `${linesOf(value, scalar).join('\n')}\n`;
}

type Scalar = (value: unknown) => readonly string[];

/** Texts whose lines can stand below each other as they are: without control characters, and spaces only inside of lines. */
const isPlainBlock = (text: string): boolean =>
  /^\S/.test(text) && !/[^\S\n]\n|\s\n$|[^\S\n]$|[\0-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff]/.test(text);

/** A text's first line stands behind its key; further ones are indented deeper than that. */
function textLines(text: string): readonly string[] {
  if (!text.includes('\n')) return [stringify({ k: text }, options).slice('k: '.length, -1)];
  if (!isPlainBlock(text)) return [JSON.stringify(text)];
  const lines = (text.endsWith('\n') ? text.slice(0, -1) : text).split('\n');
  return [text.endsWith('\n') ? '|' : '|-', ...lines.map(indented)];
}

/** Returns the lines of a value without indentation, except that those of a text that follow its first have two spaces. */
function linesOf(value: unknown, scalar: Scalar): string[] {
  if (Array.isArray(value)) return value.length === 0 ? ['[]'] : value.flatMap((item) => listItem(item, scalar));
  if (typeof value !== 'object' || value === null) return [...scalar(value)];
  const entries = Object.entries(value).filter(([, part]) => part !== undefined);
  if (entries.length === 0) return ['{}'];
  return entries.flatMap(([key, part]) => mapEntry(keyText(key, scalar), part, scalar));
}

function listItem(item: unknown, scalar: Scalar): string[] {
  const [first = '', ...rest] = linesOf(item, scalar);
  return isScalar(item) ? [`- ${first}`, ...rest] : [`- ${first}`, ...rest.map(indented)];
}

function mapEntry(key: string, value: unknown, scalar: Scalar): string[] {
  const lines = linesOf(value, scalar);
  const [first = '', ...rest] = lines;
  if (isScalar(value) || isEmpty(value)) return [`${key}: ${first}`, ...rest];
  return [`${key}:`, ...lines.map(indented)];
}

/** A key has one line. */
const keyText = (key: string, scalar: Scalar): string =>
  key.includes('\n') ? JSON.stringify(key) : (scalar(key)[0] ?? '');

const isScalar = (value: unknown): boolean => typeof value !== 'object' || value === null;

const isEmpty = (value: unknown): boolean => Object.values(value as object).every((part) => part === undefined);

/** Empty lines of a text stay empty. */
const indented = (line: string): string => (line === '' ? '' : `  ${line}`);
