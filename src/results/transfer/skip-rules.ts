/** Which files of a job are not worth fetching. Pure. */

import { firstOf } from '../../support/listing';
import { escapeRegExp } from '../../support/escape-regexp';

/** Returns whether an entry of that name, at any depth, is not fetched on purpose. */
export type SkipRule = (type: 'dir' | 'file', name: string) => boolean;

export function skipRule(names: readonly string[]): SkipRule {
  const patterns = names.map((name) => ({
    type: name.endsWith('/') ? 'dir' : 'file',
    regexp: new RegExp(`^${name.replace(/\/$/, '').split('*').map(escapeRegExp).join('.*')}$`, 's'),
  }));
  return (type, name) => patterns.some((pattern) => pattern.type === type && pattern.regexp.test(name));
}

/** An entry of a result folder that was not fetched. */
export interface NotHome {
  /** Relative to the task's folder. */
  readonly path: string;
  readonly reason: string;
}

/** Reason for entries that `execution.skip_results` excludes. */
export const skippedByName = 'by execution.skip_results';

/** Lists the first three with their reasons, and how many more there are. */
export function notHomeInWords(left: readonly NotHome[]): string {
  const texts = left.map(({ path, reason }) => `${path.slice(0, 100)} (${reason})`);
  return firstOf(texts, 3);
}
