/** Merges configs as OmegaConf does: mappings key by key, everything else is replaced. Pure. */
import { isMissing } from '../../yaml/tree';
import type { ConfigNode, MapNode } from '../../yaml/tree';

/** Merges `over` into `base`; `over` wins, except that its `???` leaves an existing value alone. Lists are replaced whole. */
export function mergeNodes(base: ConfigNode, over: ConfigNode): ConfigNode {
  if (base.kind !== 'map' || over.kind !== 'map') return over;
  return mergeMaps(base, over);
}

export function mergeMaps(base: MapNode, over: MapNode): MapNode {
  const entries = new Map(base.entries);
  for (const [key, node] of over.entries) {
    const existing = entries.get(key);
    if (existing === undefined) entries.set(key, node);
    else if (!isMissing(node) || isMissing(existing)) entries.set(key, mergeNodes(existing, node));
  }
  const place = over.keyOrigin ?? base.keyOrigin;
  return { kind: 'map', entries, origin: over.origin, ...(place === undefined ? {} : { keyOrigin: place }) };
}
