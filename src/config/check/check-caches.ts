/** Warns of shared caches that are not shared. Pure. */
import { cachesPath, cacheVolume } from '../plan/shared-caches';
import type { ResolvedConfig } from '../schema/config';
import { placeOf } from '../yaml/problems';
import type { ConfigProblem } from '../yaml/problems';
import { nearestNodeAt, placeOfNode } from '../yaml/tree';
import type { ConfigNode } from '../yaml/tree';

export function checkCaches(config: ResolvedConfig, root: ConfigNode): ConfigProblem[] {
  const volume = cacheVolume(config);
  // Volumes of a node: `node-local`, and whatever else the workspace calls local.
  if (volume === undefined || !/^(?:node-)?local\b|^node-local/.test(volume)) return [];
  return [
    {
      ...placeOf(placeOfNode(nearestNodeAt(root, [...cachesPath.split('.'), 'from']))),
      path: `${cachesPath}.from`,
      message: `\`${volume}\` is a disk of each node: only what runs on the same node shares the caches`,
      hint: 'name a volume that all nodes have: node-nfs:NAME',
    },
  ];
}
