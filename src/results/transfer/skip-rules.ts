/** What a job leaves that is not worth bringing home. Pure. */

import { firstOf } from '../../support/listing';
import { escapeRegExp } from '../../support/escape-regexp';

/** Whether an entry of that name, at any depth, stays behind on purpose. */
export type SkipRule = (type: 'dir' | 'file', name: string) => boolean;

export function skipRule(names: readonly string[]): SkipRule {
  const patterns = names.map((name) => ({
    type: name.endsWith('/') ? 'dir' : 'file',
    regexp: new RegExp(`^${name.replace(/\/$/, '').split('*').map(escapeRegExp).join('.*')}$`, 's'),
  }));
  return (type, name) => patterns.some((pattern) => pattern.type === type && pattern.regexp.test(name));
}

/** Something in a result folder that is not at home. */
export interface NotHome {
  /** Below the task's folder. */
  readonly path: string;
  readonly reason: string;
}

/** Reason of what stays behind by `execution.skip_results`. */
export const skippedByName = 'by execution.skip_results';

/** The first few with their reasons, and how many more there are. */
export function notHomeInWords(left: readonly NotHome[]): string {
  const texts = left.map(({ path, reason }) => `${path.slice(0, 100)} (${reason})`);
  return firstOf(texts, 3);
}
