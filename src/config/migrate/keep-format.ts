/** Keeps the formatting of lines that were not changed. Pure. */
import { diff3Merge, diffIndices } from 'node-diff3';
import { parseConfigDocument } from './config-document';

/**
 * Returns `changed`, the normal text of a changed document, with the lines that did not change as the file has them: aligned
 * comments, folded texts, blank lines. If that would not say exactly the same, `changed` is returned as it is.
 */
export function keepFormat(original: string, changed: string): string {
  const document = parseConfigDocument(original);
  const before = document.toString();
  if (before === changed) return original;
  const parts = diff3Merge(changed.split('\n'), before.split('\n'), original.split('\n'), {
    excludeFalseConflicts: true,
  });
  const joined = (ofConflict: (conflict: Conflict) => readonly string[]): string =>
    parts.flatMap(({ ok, conflict }) => ok ?? (conflict === undefined ? [] : ofConflict(conflict))).join('\n');
  const candidates = [joined(resolved), joined(({ a }) => a)];
  const kept = candidates.find((candidate) => saysTheSame(candidate, changed, document.indent)) ?? changed;
  return withBlankLines(kept, original);
}

/** Where a change is next to lines of another formatting: those that stay as they are keep theirs. */
function resolved({ a: changed, o: before, b: original }: Conflict): string[] {
  return withOriginalBlocks(changed, before, original).map((line) => {
    const same = before.includes(line) ? original.filter((other) => squeezed(other) === squeezed(line)) : [];
    const [only = line, second] = same;
    if (second === undefined && same.length > 0) return only;
    // Comments at the left margin are about what follows, even if they stand below an indented block.
    const comment = line.trimStart();
    return comment.startsWith('#') && original.includes(comment) ? comment : line;
  });
}

/** Puts back runs of lines that only formatting changed, such as a folded text. */
function withOriginalBlocks(
  changed: readonly string[],
  before: readonly string[],
  original: readonly string[],
): readonly string[] {
  return diffIndices([...before], [...original]).reduce<readonly string[]>((lines, region) => {
    const block = region.buffer1Content;
    const at = lines.findIndex((_line, index) => block.every((each, offset) => lines[index + offset] === each));
    if (block.length === 0 || at === -1) return lines;
    return [...lines.slice(0, at), ...region.buffer2Content, ...lines.slice(at + block.length)];
  }, changed);
}

const squeezed = (line: string): string => line.trim().replaceAll(/\s+/g, ' ');

interface Conflict {
  readonly a: readonly string[];
  readonly o: readonly string[];
  readonly b: readonly string[];
}

/** Whether a text is written as `normal` when no formatting is kept: then it has the same values, order and comments. */
function saysTheSame(text: string, normal: string, indent: number): boolean {
  try {
    return withoutMargins(parseConfigDocument(text, indent).toString()) === withoutMargins(normal);
  } catch {
    return false;
  }
}

/** Whether a comment between two blocks belongs to the first or the second is read from its margin, and means nothing. */
const withoutMargins = (text: string): string => text.replaceAll(/^ +#/gm, '#');

/** Puts back the blank lines above the keys at the left margin, and above the comments on them. */
function withBlankLines(text: string, original: string): string {
  const lines = original.split('\n');
  const spaced = new Set(lines.filter((line, at) => /^[^\s]/.test(line) && at > 0 && lines[at - 1]?.trim() === ''));
  return text
    .split('\n')
    .flatMap((line, at, all) => {
      const above = all[at - 1];
      return above !== undefined && above.trim() !== '' && spaced.has(line) ? ['', line] : [line];
    })
    .join('\n');
}
