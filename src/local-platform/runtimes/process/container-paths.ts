/** A folder of the container and its counterpart on this machine. Both are absolute, without a trailing slash. */
import { escapeRegExp } from '../../../support/escape-regexp';

export interface PathMapping {
  readonly container: string;
  readonly host: string;
}

/**
 * Replaces absolute container paths in a text (an argument, a variable's value) by this machine's. Only whole path
 * segments match: with `/data` mapped, `/data/x` and `--in=/data` change, `/database` and `/my/data` do not. Pure.
 */
export function translatePaths(text: string, mappings: readonly PathMapping[]): string {
  const longestFirst = mappings
    .filter(({ container }) => container.length > 1)
    .toSorted((a, b) => b.container.length - a.container.length);
  if (longestFirst.length === 0) return text;
  const alternatives = longestFirst.map(({ container }) => escapeRegExp(container)).join('|');
  const pattern = new RegExp(`(?<![\\w.\\-/])(?:${alternatives})(?![\\w.\\-])`, 'g');
  return text.replace(pattern, (found) => longestFirst.find(({ container }) => container === found)?.host ?? found);
}
