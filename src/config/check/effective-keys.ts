/**
 * Removes keys that the schema does not know but that are no mistake: those that only other executors use, and the user's own
 * that other values refer to. What remains unknown is refused by the schema. Pure.
 */
import { documentationOf } from '../schema/accepts';
import type { Schema } from '../schema/accepts';
import { configSchema } from '../schema/config';
import { deploymentSchema, deploymentTypes } from '../schema/deployment';
import { foreignKey } from '../schema/foreign-executors';
import type { Reference } from '../hydra/interpolation/references';
import type { Resolution } from '../hydra/interpolation/resolve-interpolations';
import { placeOf } from '../yaml/problems';
import type { ConfigProblem } from '../yaml/problems';
import { dotted, nodeAt, placeOfNode } from '../yaml/tree';
import type { ConfigNode, Path } from '../yaml/tree';

export interface EffectiveKeys {
  readonly resolution: Resolution;
  /** At most one: it lists the keys of other executors that were ignored. */
  readonly warnings: readonly ConfigProblem[];
}

/** `used`: dotted paths of foreign keys whose values were moved to an equivalent, and which need no warning. */
export function withEffectiveKeys(
  resolution: Resolution,
  {
    references,
    used,
    foreign,
  }: {
    readonly references: readonly Reference[];
    readonly used: ReadonlySet<string>;
    /** The file was written for another executor. */
    readonly foreign: boolean;
  },
): EffectiveKeys {
  const type = nodeAt(resolution.root, ['deployment', 'type']);
  const known = deploymentTypes.find((each) => type?.kind === 'scalar' && type.value === each) ?? 'none';
  const removal = new Removal(references, foreign && known === 'none');
  const root = removal.within(resolution.root, configSchema(known), []);
  // A value that refers to a foreign key needs it, and reports nothing itself when that cannot be resolved.
  const isIdle = (path: string): boolean =>
    removal.foreign.some((gone) => isWithin(path, dotted(gone))) &&
    !references.some(({ from, to }) => isWithin(path, dotted(to)) && foreignKey(from) === undefined);
  const ignored = removal.foreign.flatMap((path) => ignoredParts(resolution.root, path, used));
  return {
    resolution: { ...resolution, root, problems: resolution.problems.filter(({ path }) => !isIdle(path)) },
    warnings: warningAbout(resolution.root, ignored),
  };
}

const isWithin = (path: string, section: string): boolean => `${path}.`.startsWith(`${section}.`);

class Removal {
  readonly foreign: Path[] = [];

  /** `undeployed`: settings of a deployment that there is not have no effect. */
  constructor(
    private readonly references: readonly Reference[],
    private readonly undeployed: boolean,
  ) {}

  within(node: ConfigNode, schema: Schema, path: Path): ConfigNode {
    const { accepts } = documentationOf(schema);
    switch (accepts.kind) {
      case 'nullable':
        return this.within(node, accepts.inner, path);
      case 'list':
        return node.kind === 'list'
          ? { ...node, items: node.items.map((item, index) => this.within(item, accepts.item, [...path, index])) }
          : node;
      case 'section':
        return node.kind === 'map' ? this.section(node, accepts.shape, path) : node;
      default:
        return node;
    }
  }

  private section(
    node: Extract<ConfigNode, { kind: 'map' }>,
    shape: Readonly<Record<string, Schema>>,
    path: Path,
  ): ConfigNode {
    const entries = [...node.entries].flatMap(([key, child]): [string, ConfigNode][] => {
      const at = [...path, key];
      const inner = Object.hasOwn(shape, key) ? shape[key] : undefined;
      if (inner !== undefined) return [[key, this.within(child, inner, at)]];
      const isForeign = foreignKey(at) !== undefined || (this.undeployed && isDeploymentKey(at));
      if (!isForeign && !this.isReferredTo(at)) return [[key, child]];
      if (isForeign) this.foreign.push(at);
      return [];
    });
    return { ...node, entries: new Map(entries) };
  }

  /** Whether a value elsewhere refers to the key, or to something below it. */
  private isReferredTo(key: Path): boolean {
    const target = dotted(key);
    return this.references.some(({ from, to }) => isWithin(dotted(to), target) && !isWithin(dotted(from), target));
  }
}

const isDeploymentKey = ([section, key, ...rest]: Path): boolean =>
  section === 'deployment' &&
  rest.length === 0 &&
  deploymentTypes.some((type) => {
    const { accepts } = documentationOf(deploymentSchema(type));
    return accepts.kind === 'section' && Object.hasOwn(accepts.shape, String(key));
  });

/** Returns the parts of a foreign key that nothing uses; the whole key, if none of it is used. */
function ignoredParts(root: ConfigNode, path: Path, used: ReadonlySet<string>): Path[] {
  const key = dotted(path);
  if (used.has(key)) return [];
  if (![...used].some((each) => each.startsWith(`${key}.`))) return [path];
  const node = nodeAt(root, path);
  const children = node?.kind === 'map' ? [...node.entries].filter(([, child]) => !isEmpty(child)) : [];
  return children.flatMap(([child]) => ignoredParts(root, [...path, child], used));
}

const isEmpty = (node: ConfigNode): boolean =>
  node.kind === 'map' ? node.entries.size === 0 : node.kind === 'list' && node.items.length === 0;

function warningAbout(root: ConfigNode, ignored: readonly Path[]): ConfigProblem[] {
  const [first] = ignored;
  if (first === undefined) return [];
  const names = ignored.map(dotted).join(', ');
  const isOne = ignored.length === 1;
  const instead = ignored.flatMap((path) => {
    const key = foreignKey(path)?.instead;
    return key === undefined ? [] : [`${dotted(path)}: see ${key}`];
  });
  return [
    {
      ...placeOf(placeOfNode(nodeAt(root, first))),
      path: '',
      message: `${isOne ? 'this key has' : 'these keys have'} no effect on Lepton and ${isOne ? 'is' : 'are'} ignored: ${names}`,
      ...(instead.length === 0 ? {} : { hint: instead.join('; ') }),
    },
  ];
}
