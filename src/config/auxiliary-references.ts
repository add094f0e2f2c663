/** How texts below `evaluation` refer to auxiliary deployments: `auxiliary_deployments.judge.chat_url`. Pure. */
import { nodeAt, scalarsOf } from './yaml/tree';
import type { ConfigNode, Path } from './yaml/tree';

/** A reference in a text. */
export interface AuxiliaryReference {
  readonly name: string;
  /** `model_id`, `api_key_name`, `base_url`, or `<kind>_url` for a key of `endpoints`. */
  readonly field: string;
}

const pattern = /auxiliary_deployments\.([A-Za-z0-9-]+(?:_[A-Za-z0-9-]+)*)\.([a-z][a-z0-9_]*)/g;

export const referencesInText = (text: string): readonly AuxiliaryReference[] =>
  [...text.matchAll(pattern)].map(([, name = '', field = '']) => ({ name, field }));

/** Replaces references; one for which `value` returns nothing stays. */
export const withReferences = (text: string, value: (reference: AuxiliaryReference) => string | undefined): string =>
  text.includes('auxiliary_deployments.')
    ? text.replaceAll(pattern, (all, name: string, field: string) => value({ name, field }) ?? all)
    : text;

/** Returns the kind of an endpoint in the name of a URL's field; `undefined`: it is another field. */
export const kindOfField = (field: string): string | undefined =>
  field === 'base_url' ? undefined : /^(.+)_url$/.exec(field)?.[1];

/** Returns the names of the auxiliary deployments of a config. */
export function auxiliaryNames(root: ConfigNode): readonly string[] {
  const node = nodeAt(root, ['auxiliary_deployments']);
  return node?.kind === 'map' ? [...node.entries.keys()] : [];
}

/** Yields every reference below `evaluation`, with its place. */
export function* referencesBelowEvaluation(
  root: ConfigNode,
): Generator<{ readonly path: Path; readonly reference: AuxiliaryReference }> {
  const evaluation = nodeAt(root, ['evaluation']);
  if (evaluation === undefined) return;
  for (const { path, node } of scalarsOf(evaluation, ['evaluation']))
    if (typeof node.value === 'string') for (const reference of referencesInText(node.value)) yield { path, reference };
}

/**
 * Makes `${auxiliary_deployments.judge.chat_url}` mean the same as without the braces: what it stands for is known only when the
 * endpoint is Ready.
 */
export function withoutBraces(node: ConfigNode): ConfigNode {
  switch (node.kind) {
    case 'map':
      return { ...node, entries: new Map([...node.entries].map(([key, child]) => [key, withoutBraces(child)])) };
    case 'list':
      return { ...node, items: node.items.map(withoutBraces) };
    case 'scalar': {
      if (typeof node.value !== 'string' || !node.value.includes('${auxiliary_deployments.')) return node;
      const value = node.value.replaceAll(braced, '$1');
      return { ...node, value, text: value };
    }
  }
}

const braced = /\$\{(auxiliary_deployments\.[A-Za-z0-9_-]+\.(?:[a-z0-9_]+_url|model_id|api_key_name))\}/g;
