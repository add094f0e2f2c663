/** Says which resource shape was chosen for a config that chooses none. Pure. */
import { shapePath } from '../derive';
import { placeOf } from '../yaml/problems';
import type { ConfigProblem } from '../yaml/problems';
import { dotted, nodeAt, placeOfNode } from '../yaml/tree';
import type { ConfigNode } from '../yaml/tree';

export function checkShape(root: ConfigNode): ConfigProblem[] {
  const shape = nodeAt(root, shapePath);
  if (shape?.kind !== 'scalar' || shape.origin.derived === undefined) return [];
  const size = nodeAt(root, shape.origin.derived.split('.'));
  return [
    {
      ...placeOf(placeOfNode(size)),
      path: dotted(shapePath),
      message: `is not set: each endpoint gets ${String(shape.value)}, with as many GPUs as the parallel sizes need`,
      hint: 'choose a shape that your workspace has',
    },
  ];
}
