/** Merges configs as OmegaConf does: mappings key by key, everything else is replaced. Pure. */
import { isMissing, withNodeAt } from '../../yaml/tree';
import type { ConfigNode, MapNode, Path } from '../../yaml/tree';
import { isInterpolated } from '../interpolation/nodes';
import { containerAt } from '../interpolation/resolve-interpolations';

/** Where in a config something is merged. */
export interface MergePlace {
  readonly root: ConfigNode;
  readonly path: Path;
  /** For `oc.env`. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Merges `over` into `base`; `over` wins, except that its `???` leaves an existing value alone. Lists are replaced whole. */
export function mergeNodes(base: ConfigNode, over: ConfigNode, place?: MergePlace): ConfigNode {
  if (base.kind !== 'map' || over.kind !== 'map') return over;
  return mergeMaps(base, over, place);
}

/**
 * Merges two mappings. With a `place`, a value of `base` that refers to a mapping or list becomes a copy of it first, as in OmegaConf
 * (`_map_merge` in its basecontainer.py): what is merged over it then changes the copy, and does not replace the reference. It must
 * exist in the config merged so far.
 */
export function mergeMaps(base: MapNode, over: MapNode, place?: MergePlace): MapNode {
  const merged = opened(base, over);
  const root = place && withNodeAt(place.root, place.path, merged);
  mergeInto(merged, over, place && root && { ...place, root });
  return merged;
}

/** A mapping that is being merged. It is part of the root already, so that references find what has been merged so far. */
interface OpenMap extends MapNode {
  readonly entries: Map<string, ConfigNode>;
}

function opened(base: MapNode, over: MapNode): OpenMap {
  const place = over.keyOrigin ?? base.keyOrigin;
  return {
    kind: 'map',
    entries: new Map(base.entries),
    origin: over.origin,
    ...(base.copyOf === undefined ? {} : { copyOf: base.copyOf }),
    ...(place === undefined ? {} : { keyOrigin: place }),
  };
}

function mergeInto({ entries }: OpenMap, over: MapNode, place: MergePlace | undefined): void {
  for (const [key, node] of over.entries) {
    const at = place && { ...place, path: [...place.path, key] };
    const existing = expanded(entries.get(key), at);
    if (existing === undefined) entries.set(key, node);
    else if (isMissing(node) && !isMissing(existing)) entries.set(key, existing);
    else if (existing.kind === 'map' && node.kind === 'map') {
      const child = opened(existing, node);
      entries.set(key, child);
      mergeInto(child, node, at);
    } else entries.set(key, node);
  }
}

/** Returns a copy of the mapping or list that a node refers to, if it does and that exists by now, otherwise the node. */
function expanded(existing: ConfigNode | undefined, place: MergePlace | undefined): ConfigNode | undefined {
  if (existing === undefined || place === undefined || !isInterpolated(existing)) return existing;
  const target = containerAt(place.root, place.path, place.env);
  return target === undefined ? existing : copied(target);
}

/** A copy that a merge which is still going on does not change. */
function copied(node: ConfigNode): ConfigNode {
  switch (node.kind) {
    case 'scalar':
      return node;
    case 'list':
      return { ...node, items: node.items.map(copied) };
    case 'map':
      return { ...node, entries: new Map([...node.entries].map(([key, child]) => [key, copied(child)])) };
  }
}
