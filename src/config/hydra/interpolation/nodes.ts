/** Which nodes still have to be resolved. Pure. */
import { isMissing } from '../../yaml/tree';
import type { ConfigNode } from '../../yaml/tree';

/** Whether a value contains interpolations that are not resolved yet. */
export const isInterpolated = (node: ConfigNode): boolean =>
  node.kind === 'scalar' && typeof node.value === 'string' && node.verbatim !== true && node.value.includes('${');

/** Marks a resolved value as final, so that it is never interpolated again. A missing value stays missing. */
export function finalValue(node: ConfigNode): ConfigNode {
  if (node.kind !== 'scalar' || isMissing(node) || node.value === '???')
    return node.kind === 'scalar' ? { ...node, verbatim: false } : node;
  return { ...node, verbatim: true };
}
