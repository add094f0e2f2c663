import type { Comparison } from '../comparison';
import { bare } from '../match-tasks';

/** Returns where a required benchmark is missing. Pure. */
export function missingText(name: string, { onlyInBase, onlyInCandidate }: Comparison): string {
  const has = (names: readonly string[]): boolean => names.some((one) => bare(one) === bare(name));
  if (has(onlyInBase)) return 'the candidate has no results of it';
  return has(onlyInCandidate) ? 'the base has no results of it' : 'neither side has results of it';
}
