/** Reads forms of exports that older launchers had, and leaves out settings of exports that are not made. Pure. */
import { placeOf } from './yaml/problems';
import type { ConfigProblem } from './yaml/problems';
import { dotted, isMissing, isNull, nodeAt, placeOfNode, scalarsOf, withNodeAt, withoutNodeAt } from './yaml/tree';
import type { ConfigNode, Path } from './yaml/tree';

interface Read {
  readonly root: ConfigNode;
  readonly warnings: readonly ConfigProblem[];
}

/** `destinations`: those that count; default: the config's own. */
export function withOlderExports(root: ConfigNode, destinations = destinationsIn(root)): Read {
  const moves: readonly (readonly [from: Path, to: Path])[] = [
    [
      ['execution', 'env_vars', 'export'],
      ['export', 'env_vars'],
    ],
    ...sectionsOf(root, ['execution', 'auto_export', 'configs']).map((name): [Path, Path] => [
      ['execution', 'auto_export', 'configs', name],
      ['export', name],
    ]),
    ...sectionsOf(root, ['export']).flatMap((name): [Path, Path][] => [
      [
        ['export', name, 'log_logs'],
        ['export', name, 'copy_logs'],
      ],
      [
        ['export', name, 'log_artifacts'],
        ['export', name, 'copy_artifacts'],
      ],
    ]),
  ];
  const read = moves.reduce<Read>((before, [from, to]) => moved(before, from, to), { root, warnings: [] });
  const emptied = ['execution.auto_export.configs', 'execution.env_vars'].reduce(withoutIfEmpty, read.root);
  return { root: withoutIdle(emptied, destinations), warnings: read.warnings };
}

const sectionsOf = (root: ConfigNode, at: Path): string[] => {
  const node = nodeAt(root, at);
  return node?.kind === 'map' ? [...node.entries.keys()] : [];
};

/** What is at the place of today wins. */
function moved({ root, warnings }: Read, from: Path, to: Path): Read {
  const node = nodeAt(root, from);
  if (node === undefined) return { root, warnings };
  const cut = withoutNodeAt(root, from);
  if (isNull(node)) return { root: cut, warnings };
  const there = nodeAt(cut, to);
  const taken = there === undefined || isNull(there) ? withNodeAt(cut, to, node) : cut;
  const said = {
    ...placeOf(placeOfNode(node)),
    path: dotted(from),
    message: `is read as \`${dotted(to)}\``,
    hint: 'write it there',
  };
  return { root: taken, warnings: [...warnings, said] };
}

function withoutIfEmpty(root: ConfigNode, dottedPath: string): ConfigNode {
  const at = dottedPath.split('.');
  const node = nodeAt(root, at);
  return node?.kind === 'map' && node.entries.size === 0 ? withoutNodeAt(root, at) : root;
}

/** Templates have `???` for targets that a run doesn't export to: nobody has to fill these in. */
function withoutIdle(root: ConfigNode, chosen: readonly string[]): ConfigNode {
  return sectionsOf(root, ['export']).reduce((tree, name) => {
    const node = nodeAt(tree, ['export', name]);
    const isIdle = name !== 'env_vars' && !chosen.includes(name);
    if (!isIdle || node === undefined) return tree;
    return [...scalarsOf(node)].some(({ node: scalar }) => isMissing(scalar))
      ? withoutNodeAt(tree, ['export', name])
      : tree;
  }, root);
}

function destinationsIn(root: ConfigNode): readonly string[] {
  const listed = nodeAt(root, ['execution', 'auto_export', 'destinations']);
  return listed?.kind === 'list' ? listed.items.map((item) => (item.kind === 'scalar' ? String(item.value) : '')) : [];
}
