/** Moves values that a config has for another executor to the keys with the same meaning here, before interpolation. Pure. */
import path from 'node:path';
import { foreignExecutors, foreignKeys } from './schema/foreign-executors';
import { isInterpolated } from './hydra/interpolation/nodes';
import { placeOf } from './yaml/problems';
import type { ConfigProblem } from './yaml/problems';
import { childOf, isMissing, isNull, nodeAt, placeOfNode, withNodeAt } from './yaml/tree';
import type { ConfigNode, ListNode, ScalarNode } from './yaml/tree';

export interface ForeignValues {
  readonly root: ConfigNode;
  /** What was used, and as what. */
  readonly warnings: readonly ConfigProblem[];
  /** Dotted paths of the keys that were used. */
  readonly used: ReadonlySet<string>;
}

/** A tree while values are moved in it. */
interface Move extends ForeignValues {
  readonly used: Set<string>;
}

const jobMounts = ['execution', 'lepton_platform', 'tasks', 'mounts'];
const endpointMount = ['deployment', 'lepton_config', 'mounts'];

/** `foreign`: the file was written for another executor. */
export function withForeignValues(root: ConfigNode, { foreign }: { readonly foreign: boolean }): ForeignValues {
  const start = withOwnType({ root, warnings: [], used: new Set() }, foreign);
  if (textAt(start.root, ['execution', 'type']) !== 'lepton') return start;
  const scalars = foreignKeys
    .filter(({ path: key, equivalent }) => equivalent !== undefined && !key.startsWith('execution.mounts'))
    .reduce((move, key) => withScalar(move, key.path.split('.'), (key.equivalent ?? '').split('.')), start);
  return withCheckpoint(withEndpointMount(withJobMounts(scalars)), foreign);
}

/** A file that names its executor with `type` keeps that name when another executor's preset is chosen. */
function withOwnType(move: Move, foreign: boolean): Move {
  const at = ['execution', 'type'];
  const node = nodeAt(move.root, at);
  const isReplaced = nodeAt(move.root, ['execution', 'lepton_platform']) !== undefined;
  if (node?.kind !== 'scalar' || !isReplaced) return move;
  if (!foreignExecutors.includes(String(node.value)) && !(foreign && isInterpolated(node))) return move;
  const root = withNodeAt(move.root, at, { ...node, value: 'lepton' });
  return moved({ ...move, root }, { from: at, node, message: `\`${String(node.value)}\` is replaced by \`lepton\`` });
}

function withScalar(move: Move, from: string[], to: string[]): Move {
  const node = nodeAt(move.root, from);
  if (node?.kind !== 'scalar' || isUnset(node) || isGiven(move.root, to)) return move;
  const isLimit = to.at(-1) === 'timeout';
  const value = isLimit ? asSeconds(node) : node;
  if (value === undefined) return move;
  return moved(
    { ...move, root: withNodeAt(move.root, to, value) },
    { from, node, message: `is used as \`${to.join('.')}\`` },
  );
}

function withJobMounts(move: Move): Move {
  const from = ['execution', 'mounts', 'evaluation'];
  const listed = nodeAt(move.root, jobMounts);
  const volume = listed?.kind === 'list' ? textAt(listed, [0, 'from']) : undefined;
  if (listed?.kind !== 'list' || volume === undefined) return move;
  return mountsAt(move.root, from).reduce((current, mount) => {
    const list = nodeAt(current.root, jobMounts) as ListNode;
    const taken = list.items.map((item) => textAt(item, ['mount_path']));
    if (!isMountable(mount) || taken.includes(mount.target)) return current;
    const item = mapping(mount.node, { from: volume, path: mount.source, mount_path: mount.target });
    const root = withNodeAt(current.root, jobMounts, { ...list, items: [...list.items, item] });
    return moved(
      { ...current, root },
      { from: [...from, mount.source], node: mount.node, message: mountText(mount, volume) },
    );
  }, move);
}

function withEndpointMount(move: Move): Move {
  const from = ['execution', 'mounts', 'deployment'];
  const mount = mountsAt(move.root, from).find(isMountable);
  return mount === undefined ? move : withMount(move, mount, from);
}

/** The other executors mount the checkpoint into the server's container; here its folder is looked for in the volume. */
function withCheckpoint(move: Move, foreign: boolean): Move {
  const at = ['deployment', 'checkpoint_path'];
  const node = nodeAt(move.root, at);
  const source = textAt(move.root, at);
  if (!foreign || node?.kind !== 'scalar' || source === undefined || !path.posix.isAbsolute(source)) return move;
  const own = ['command', 'base_command'].map((key) => nodeAt(move.root, ['deployment', key]));
  const isNamed = own.some(
    (command) =>
      command?.kind === 'scalar' && command.origin.preset !== true && /\/checkpoint\b/.test(String(command.value)),
  );
  const mount = { source, target: isNamed ? '/checkpoint' : path.posix.normalize(source), node };
  return isMountable(mount) ? withMount(move, mount, undefined) : move;
}

function withMount(move: Move, mount: Mount, from: string[] | undefined): Move {
  const volume = textAt(move.root, [...jobMounts, 0, 'from']);
  const enabled = nodeAt(move.root, [...endpointMount, 'enabled']);
  const isOpen = enabled === undefined || (enabled.kind === 'scalar' && enabled.value === false);
  if (volume === undefined || !isOpen || textAt(move.root, ['deployment', 'type']) === 'none') return move;
  const keyPlace = mount.node.keyOrigin ?? mount.node.origin;
  const set = (root: ConfigNode, key: string, value: string | boolean): ConfigNode =>
    withNodeAt(root, [...endpointMount, key], { kind: 'scalar', value, verbatim: true, origin: keyPlace });
  const root = set(set(set(move.root, 'enabled', true), 'cache_path', mount.source), 'mount_path', mount.target);
  const path_ = from === undefined ? ['deployment', 'checkpoint_path'] : [...from, mount.source];
  return moved({ ...move, root }, { from: path_, node: mount.node, message: mountText(mount, volume) });
}

interface Mount {
  readonly source: string;
  readonly target: string;
  readonly node: ScalarNode;
}

/** Returns the mounts of a mapping `folder of the host: folder of the container`. */
function mountsAt(root: ConfigNode, at: string[]): Mount[] {
  const node = nodeAt(root, at);
  if (node?.kind !== 'map') return [];
  return [...node.entries].flatMap(([source, child]) => {
    const target = textAt(child, []);
    return child.kind === 'scalar' && target !== undefined
      ? [{ source, target: path.posix.normalize(target.replace(/:r[ow]$/, '')), node: child }]
      : [];
  });
}

const isMountable = ({ source, target }: Mount): boolean =>
  [source, target].every((folder) => path.posix.isAbsolute(folder) && !folder.split('/').includes('..')) &&
  target !== '/' &&
  !`${source}${target}`.includes('${');

const mountText = ({ source, target }: Mount, volume: string): string =>
  `the folder ${source} of the volume ${volume} is mounted at ${target}: its content must be there`;

function moved(
  move: Move,
  { from, node, message }: { from: readonly string[]; node: ScalarNode; message: string },
): Move {
  move.used.add(from.join('.'));
  return { ...move, warnings: [...move.warnings, { ...placeOf(placeOfNode(node)), path: from.join('.'), message }] };
}

/** Returns a time limit of Slurm in seconds: minutes, `minutes:seconds`, `hours:minutes:seconds`, or any of them after `days-`. `undefined` if there is no limit. */
function asSeconds(node: ScalarNode): ScalarNode | undefined {
  const text = (node.text ?? String(node.value)).trim();
  if (/^(?:unlimited|infinite|infinity|0)$/i.test(text)) return undefined;
  const [, days, first = '', second, third] = /^(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?$/.exec(text) ?? [];
  if (first === '') return node;
  const [hours, minutes, seconds] =
    days !== undefined || third !== undefined ? [first, second, third] : [undefined, first, second];
  const value =
    Number(days ?? 0) * 86_400 + Number(hours ?? 0) * 3_600 + Number(minutes ?? 0) * 60 + Number(seconds ?? 0);
  const place = node.keyOrigin === undefined ? {} : { keyOrigin: node.keyOrigin };
  return { kind: 'scalar', value, origin: node.origin, ...place };
}

const isUnset = (node: ConfigNode): boolean => isNull(node) || isMissing(node);

/** Whether the user gave the value: those of presets may be replaced. */
function isGiven(root: ConfigNode, at: string[]): boolean {
  const node = nodeAt(root, at);
  return node !== undefined && !isUnset(node) && node.origin.preset !== true;
}

function textAt(root: ConfigNode, at: readonly (string | number)[]): string | undefined {
  const node = at.reduce<ConfigNode | undefined>((current, key) => childOf(current, key), root);
  return node?.kind === 'scalar' && typeof node.value === 'string' && node.value !== '???' ? node.value : undefined;
}

function mapping({ origin, keyOrigin }: ScalarNode, values: Readonly<Record<string, string>>): ConfigNode {
  const place = keyOrigin ?? origin;
  const entries = Object.entries(values).map(([key, value]): [string, ConfigNode] => [
    key,
    { kind: 'scalar', value, verbatim: true, origin: place },
  ]);
  return { kind: 'map', entries: new Map(entries), origin: place };
}
