/** Reads a `defaults:` list. */
import { placeOf } from '../../yaml/problems';
import type { ConfigProblem, Origin } from '../../yaml/problems';
import type { ConfigNode, ScalarNode } from '../../yaml/tree';

export type DefaultsEntry =
  | { readonly kind: 'self'; readonly origin: Origin }
  /** A config without a group: `- base`. */
  | {
      readonly kind: 'config';
      readonly path: string;
      readonly package: string | undefined;
      readonly optional: boolean;
      readonly origin: Origin;
    }
  /** A choice from a group: `- deployment: vllm`. */
  | {
      readonly kind: 'group';
      readonly group: string;
      readonly package: string | undefined;
      readonly optional: boolean;
      readonly override: boolean;
      /** The node as written: a name, null, a list of names, or an interpolation. */
      readonly choice: ConfigNode;
      readonly origin: Origin;
    };

/** Reads the list. Entries that cannot be read are reported and left out. */
export function readDefaultsList(node: ConfigNode | undefined): {
  entries: DefaultsEntry[];
  problems: ConfigProblem[];
} {
  const problems: ConfigProblem[] = [];
  if (node === undefined || (node.kind === 'scalar' && node.value === null)) return { entries: [], problems };
  if (node.kind !== 'list') {
    problems.push({
      ...placeOf(node.keyOrigin ?? node.origin),
      path: 'defaults',
      message: 'expected a list',
      hint: 'e.g. `- deployment: vllm`',
    });
    return { entries: [], problems };
  }
  const entries = node.items.flatMap((item, index): DefaultsEntry[] => {
    const entry = readEntry(item);
    if (entry !== undefined) return [entry];
    problems.push({
      ...placeOf(item.origin),
      path: `defaults.${index}`,
      message: 'expected `_self_`, a config name, or one `group: choice`',
      hint: 'e.g. `- deployment: vllm`',
    });
    return [];
  });
  const selves = entries.filter((entry) => entry.kind === 'self');
  if (selves.length > 1)
    problems.push({ ...placeOf(selves[1]?.origin), path: 'defaults', message: '`_self_` is listed twice' });
  return { entries, problems };
}

function readEntry(item: ConfigNode): DefaultsEntry | undefined {
  if (item.kind === 'scalar') return readScalarEntry(item);
  if (item.kind !== 'map' || item.entries.size !== 1) return undefined;
  const [[head, choice]] = [...item.entries] as [[string, ConfigNode]];
  const words = head.split(/\s+/);
  const subject = words.at(-1) ?? '';
  const flags = words.slice(0, -1);
  if (subject === '' || flags.some((flag) => flag !== 'optional' && flag !== 'override')) return undefined;
  const { name, packageName } = splitPackage(subject);
  return {
    kind: 'group',
    group: name,
    package: packageName,
    optional: flags.includes('optional'),
    override: flags.includes('override'),
    choice,
    origin: choice.keyOrigin ?? item.origin,
  };
}

function readScalarEntry(item: ScalarNode): DefaultsEntry | undefined {
  if (typeof item.value !== 'string' || item.value === '') return undefined;
  if (item.value === '_self_') return { kind: 'self', origin: item.origin };
  const words = item.value.split(/\s+/);
  const optional = words.length === 2 && words[0] === 'optional';
  if (words.length !== 1 && !optional) return undefined;
  const { name, packageName } = splitPackage(words.at(-1) ?? '');
  return { kind: 'config', path: name, package: packageName, optional, origin: item.origin };
}

function splitPackage(text: string): { name: string; packageName: string | undefined } {
  const at = text.indexOf('@');
  return at === -1
    ? { name: text, packageName: undefined }
    : { name: text.slice(0, at), packageName: text.slice(at + 1) };
}
