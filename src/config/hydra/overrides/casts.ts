/** The casts of Hydra's override values: `int(5)`, `str(5)`, `float(5)`, `bool(true)`. Pure. */
import type { Origin } from '../../yaml/problems';
import { pythonText, writtenText } from '../python-text';
import type { ConfigNode, ScalarNode } from '../../yaml/tree';
import { OverrideFailure } from './override-failure';

const casts = ['int', 'float', 'str', 'bool'] as const;
type Cast = (typeof casts)[number];

export const isCast = (name: string): name is Cast => (casts as readonly string[]).includes(name);

/** Casts a value; in lists and mappings each item, as Hydra does. Throws `OverrideFailure`. */
export function castValue(cast: Cast, node: ConfigNode, origin: Origin): ConfigNode {
  if (node.kind === 'list') return { ...node, items: node.items.map((item) => castValue(cast, item, origin)) };
  if (node.kind === 'map')
    return {
      ...node,
      entries: new Map([...node.entries].map(([key, value]) => [key, castValue(cast, value, origin)])),
    };
  return castScalar(cast, node, origin);
}

function castScalar(cast: Cast, node: ScalarNode, origin: Origin): ScalarNode {
  const { value } = node;
  const text = typeof value === 'boolean' ? String(value) : pythonText(node);
  switch (cast) {
    case 'str':
      // Digits that overflow to infinity were not meant as a number, but as e.g. a commit id.
      return { kind: 'scalar', value: value === null ? 'null' : isOverflown(node) ? writtenText(node) : text, origin };
    case 'bool': {
      if (typeof value === 'boolean') return node;
      if (typeof value === 'number' || typeof value === 'bigint')
        return { kind: 'scalar', value: Number(value) !== 0, origin };
      if (/^(?:true|false)$/i.test(text)) return { kind: 'scalar', value: text.toLowerCase() === 'true', origin };
      break;
    }
    case 'int': {
      const number = typeof value === 'boolean' ? Number(value) : typeof value === 'number' ? Math.trunc(value) : value;
      if (typeof number === 'number' && Number.isFinite(number)) return { kind: 'scalar', value: number, origin };
      if (typeof number === 'bigint') return { kind: 'scalar', value: number, origin };
      if (/^[+-]?\d+$/.test(text)) return { kind: 'scalar', value: Number(text), origin };
      break;
    }
    case 'float': {
      const number = typeof value === 'boolean' ? Number(value) : Number(text);
      if (text.trim() !== '' && !Number.isNaN(number)) return { kind: 'scalar', value: number, float: true, origin };
    }
  }
  throw new OverrideFailure(`\`${cast}(…)\` cannot convert \`${text}\``);
}

const isOverflown = ({ value, text }: ScalarNode): boolean =>
  typeof value === 'number' && !Number.isFinite(value) && /\d/.test(text ?? '');
