/** Completes auxiliary deployments by the presets of their types, as the `defaults` list does for `deployment`. */
import { mergeMaps } from './hydra/compose/merge';
import type { ConfigSources } from './hydra/compose/sources';
import { deploymentTypes } from './schema/deployment';
import { auxiliaryNames } from './auxiliary-references';
import { nodeAt, withNodeAt, withoutNodeAt } from './yaml/tree';
import type { ConfigNode } from './yaml/tree';

/** Keys of presets that are about `deployment` only. Without a command, it follows from the other keys. */
const ofDeployment = ['command', 'base_command', 'sharing'];

export function withAuxiliaryPresets(root: ConfigNode, sources: ConfigSources): ConfigNode {
  return auxiliaryNames(root).reduce((tree, name) => {
    const path = ['auxiliary_deployments', name];
    const own = nodeAt(tree, path);
    const type = nodeAt(own, ['type']);
    if (own?.kind !== 'map' || type?.kind !== 'scalar' || type.value === 'none') return tree;
    const preset = deploymentTypes.some((known) => known === type.value)
      ? sources.find(`deployment/${String(type.value)}`)?.content
      : undefined;
    const whole: ConfigNode = preset === undefined ? own : mergeMaps(preset, own);
    const bare = ofDeployment.reduce<ConfigNode>(
      (node, key) => (nodeAt(node, [key])?.origin.preset === true ? withoutNodeAt(node, [key]) : node),
      whole,
    );
    return withNodeAt(tree, path, bare);
  }, root);
}
