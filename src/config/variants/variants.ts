/**
 * Splits a composed config into its variants: one per model, and one more for tasks whose deployment differs. Each is a config of its
 * own, in which the parts of the model and the task are merged over the common ones. Pure.
 */
import { toPlain, toRaw } from '../schema/leaf';
import { mergeNodes, type MergePlace } from '../hydra/compose/merge';
import { containerAt } from '../hydra/interpolation/resolve-interpolations';
import { placeOf } from '../yaml/problems';
import type { ConfigProblem } from '../yaml/problems';
import { childOf, isNull, nodeAt, placeOfNode, scalar, withNodeAt } from '../yaml/tree';
import type { ConfigNode, MapNode, Path } from '../yaml/tree';

export interface Variant {
  /** Name in `models`; `null`: the config has none. */
  readonly model: string | null;
  /** Indexes of its tasks in `evaluation.tasks`. */
  readonly tasks: readonly number[];
  /** The deployment of these tasks is not the model's own. */
  readonly hasOwnDeployment: boolean;
  /** All tasks of the config are in it. */
  readonly root: ConfigNode;
}

export interface Variants {
  /** At least one. */
  readonly all: readonly Variant[];
  readonly problems: readonly ConfigProblem[];
}

const modelNamePattern = /^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$/;

interface VariantSources {
  /** Returns the preset of a deployment type, if there is one. */
  readonly presetOf: (type: string) => ConfigNode | undefined;
  /** For `oc.env`. */
  readonly env: MergePlace['env'];
}

/** References to whole mappings and lists are followed, the others are left as they are. */
export function variantsOf(root: ConfigNode, sources: VariantSources): Variants {
  const { env } = sources;
  const models = referredAt(root, ['models'], env);
  const named = models?.kind === 'map' ? [...models.entries] : [];
  if (named.length === 0) return { all: byTask(root, { model: null, root }, env), problems: [] };
  return {
    all: named.flatMap(([model]) => byTask(root, { model, root: withModel(root, model, sources) }, env)),
    problems: named.flatMap(([name, part]) => problemsOfName(name, part)),
  };
}

function problemsOfName(name: string, part: ConfigNode): ConfigProblem[] {
  if (modelNamePattern.test(name)) return [];
  return [
    {
      ...placeOf(placeOfNode(part)),
      path: `models.${name}`,
      message: 'is no name for a model of a run',
      hint: 'it becomes part of the names of endpoints and folders: use up to 40 letters, digits, `-` and `_`, beginning with a letter or digit',
    },
  ];
}

/** What names the model that a deployment serves. */
const weightKeys = ['checkpoint_path', 'hf_model_handle', 'model_id'];

function withModel(root: ConfigNode, model: string, { presetOf, env }: VariantSources): ConfigNode {
  const partAt = (key: string): ConfigNode | undefined => referredAt(root, ['models', model, key], env);
  const deployment = partAt('deployment');
  const type = childOf(deployment, 'type');
  const own = nodeAt(root, ['deployment', 'type']);
  const isOther = type?.kind === 'scalar' && !(own?.kind === 'scalar' && own.value === type.value);
  const preset = isOther ? presetOf(String(type.value)) : undefined;
  const named = deployment === undefined ? [] : weightKeys.filter((key) => isSet(childOf(deployment, key)));
  const based = preset === undefined ? root : withNodeAt(root, ['deployment'], preset);
  const cleared = named.length === 0 && preset === undefined ? based : withoutModelNames(based);
  return [
    { over: deployment, to: ['deployment'] },
    { over: partAt('target'), to: ['target'] },
    { over: partAt('nemo_evaluator_config'), to: ['evaluation', 'nemo_evaluator_config'] },
    { over: partAt('env_vars'), to: ['evaluation', 'env_vars'] },
  ].reduce((tree, { over, to }) => withMerged(tree, over, { path: to, env }), cleared);
}

/** Returns the node at a path, or what it refers to as a whole. */
function referredAt(root: ConfigNode, path: Path, env: MergePlace['env']): ConfigNode | undefined {
  return containerAt(root, path, env) ?? nodeAt(root, path);
}

const isSet = (node: ConfigNode | undefined): boolean => node !== undefined && !isNull(node);

/** A model that is named for one variant leaves no other name of a model standing beside it. */
function withoutModelNames(root: ConfigNode): ConfigNode {
  const paths: Path[] = [
    ...[...weightKeys, 'served_model_name'].map((key) => ['deployment', key]),
    ['target', 'api_endpoint', 'model_id'],
  ];
  return paths.reduce<ConfigNode>((tree, path) => {
    const node = nodeAt(tree, path);
    return node === undefined || isNull(node) ? tree : withNodeAt(tree, path, scalar(null, node.origin));
  }, root);
}

function withMerged(
  root: ConfigNode,
  over: ConfigNode | undefined,
  { path, env }: Omit<MergePlace, 'root'>,
): ConfigNode {
  if (over === undefined || isNull(over)) return root;
  const base = referredAt(root, path, env);
  return withNodeAt(root, path, base === undefined ? over : mergeNodes(base, over, { root, path, env }));
}

/** Splits the tasks of a model by their own deployments. */
function byTask(
  whole: ConfigNode,
  { model, root }: Pick<Variant, 'model' | 'root'>,
  env: MergePlace['env'],
): Variant[] {
  const tasks = ['evaluation', 'tasks'];
  const list = referredAt(whole, tasks, env);
  const items = list?.kind === 'list' ? list.items : [];
  const groups = new Map<string, { readonly part: MapNode; readonly tasks: number[] }>();
  const common: number[] = [];
  for (const index of items.keys()) {
    const given = referredAt(whole, [...tasks, index, 'deployment'], env);
    const part = given?.kind === 'map' ? withoutType(given) : undefined;
    if (part === undefined || part.entries.size === 0) {
      common.push(index);
      continue;
    }
    const key = JSON.stringify(toPlain(toRaw(part)));
    const group = groups.get(key) ?? { part, tasks: [] };
    group.tasks.push(index);
    groups.set(key, group);
  }
  const own = [...groups.values()].map(({ part, tasks }): Variant => ({
    model,
    tasks,
    hasOwnDeployment: true,
    root: withMerged(root, part, { path: ['deployment'], env }),
  }));
  return common.length > 0 || own.length === 0
    ? [{ model, tasks: common, hasOwnDeployment: false, root }, ...own]
    : own;
}

/** The type is not a task's to choose: the schema refuses it there. */
const withoutType = (part: MapNode): MapNode => ({
  ...part,
  entries: new Map([...part.entries].filter(([key]) => key !== 'type')),
});
