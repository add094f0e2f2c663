/** Marks in a file at the places that its user has to decide about: comments on the line above. Pure. */
import { LineCounter, isMap, isScalar, isSeq, parseDocument } from 'yaml';

const prefix = '# evalsaga migrate: ';
const markLine = /^[ \t]*# evalsaga migrate: (.*)$/;

/** Something to decide, at a line (from 1) of the file, or at the nearest existing key of a dotted path. */
export interface Mark {
  readonly path: string;
  readonly line?: number;
  readonly text: string;
}

export interface PlacedMark {
  /** Line (from 1) of the mark itself. */
  readonly line: number;
  readonly text: string;
}

/** Adds marks above their lines; one that is there already is not repeated. */
export function withMarks(text: string, marks: readonly Mark[]): string {
  const lines = text.split('\n');
  const positions = new PathLines(text);
  const wanted = new Map<number, string[]>();
  for (const mark of marks) {
    const line = Math.min(Math.max(mark.line ?? positions.lineOf(mark.path), 1), lines.length);
    const before = marksAbove(lines, line);
    const texts = wanted.get(line) ?? [];
    const shown = oneLine(mark.text);
    if (!before.includes(shown) && !texts.includes(shown)) wanted.set(line, [...texts, shown]);
  }
  return lines
    .flatMap((line, index) => {
      const indent = /^[ \t]*/.exec(line)?.[0] ?? '';
      return [...(wanted.get(index + 1) ?? []).map((shown) => `${indent}${prefix}${shown}`), line];
    })
    .join('\n');
}

/** Returns the marks of a file, with their lines. */
export const marksIn = (text: string): PlacedMark[] =>
  text.split('\n').flatMap((line, index) => {
    const found = markLine.exec(line)?.[1];
    return found === undefined ? [] : [{ line: index + 1, text: found }];
  });

function marksAbove(lines: readonly string[], line: number): string[] {
  const found: string[] = [];
  for (let at = line - 2; at >= 0; at--) {
    const mark = markLine.exec(lines[at] ?? '')?.[1];
    if (mark === undefined) break;
    found.push(mark);
  }
  return found;
}

const oneLine = (text: string): string =>
  text
    .replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ')
    .replace(/ {2,}/g, ' ')
    .trim();

/** Finds the line of a dotted path, or of the nearest key above it. Keys may contain dots themselves. */
class PathLines {
  private readonly counter = new LineCounter();
  private readonly root: unknown;

  constructor(text: string) {
    this.root = parseDocument(text, {
      version: '1.1',
      schema: 'failsafe',
      uniqueKeys: false,
      merge: false,
      lineCounter: this.counter,
    }).contents;
  }

  lineOf(path: string): number {
    let node = this.root;
    let rest = path;
    let line = 1;
    while (rest !== '') {
      const step = this.step(node, rest);
      if (step === undefined) break;
      ({ node, line, rest } = step);
    }
    return line;
  }

  private step(node: unknown, path: string): { node: unknown; line: number; rest: string } | undefined {
    if (isSeq(node)) {
      const [first = ''] = path.split('.');
      const item = node.items[Number(first)];
      if (item === undefined) return undefined;
      return { node: item, line: this.lineAt(item), rest: path.slice(first.length + 1) };
    }
    if (!isMap(node)) return undefined;
    for (const pair of node.items) {
      if (!isScalar(pair.key)) continue;
      const key = String(pair.key.value);
      if (path !== key && !path.startsWith(`${key}.`)) continue;
      return { node: pair.value, line: this.lineAt(pair.key), rest: path.slice(key.length + 1) };
    }
    return undefined;
  }

  private lineAt(node: unknown): number {
    const [offset = 0] = (node as { range?: readonly number[] | null }).range ?? [];
    return this.counter.linePos(offset).line;
  }
}
