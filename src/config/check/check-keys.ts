/** Refuses keys that no program can hold as data. */
import { placeOf } from '../yaml/problems';
import type { ConfigProblem } from '../yaml/problems';
import { dotted, placeOfNode } from '../yaml/tree';
import type { ConfigNode, Path } from '../yaml/tree';

export function checkKeys(node: ConfigNode, path: Path = []): ConfigProblem[] {
  switch (node.kind) {
    case 'scalar':
      return [];
    case 'list':
      return node.items.flatMap((item, index) => checkKeys(item, [...path, index]));
    case 'map':
      return [...node.entries].flatMap(([key, child]): ConfigProblem[] => {
        const at = [...path, key];
        if (key !== '__proto__') return checkKeys(child, at);
        return [
          {
            ...placeOf(placeOfNode(child)),
            path: dotted(at),
            message: '`__proto__` is not allowed as a key',
            hint: 'give it another name',
          },
        ];
      });
  }
}
