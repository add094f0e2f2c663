/**
 * Splits a composed config into its variants: one per model, and one more for tasks whose deployment differs. Each is a config of its
 * own, in which the parts of the model and the task are merged over the common ones. Pure.
 */
import { toPlain, toRaw } from '../schema/leaf';
import { mergeNodes } from '../hydra/compose/merge';
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

/** `presetOf` returns the preset of a deployment type, if there is one. */
export function variantsOf(root: ConfigNode, presetOf: (type: string) => ConfigNode | undefined): Variants {
  const models = nodeAt(root, ['models']);
  const named = models?.kind === 'map' ? [...models.entries] : [];
  if (named.length === 0) return { all: byTask(root, { model: null, root }), problems: [] };
  return {
    all: named.flatMap(([model, part]) => byTask(root, { model, root: withModel(root, part, presetOf) })),
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

function withModel(root: ConfigNode, part: ConfigNode, presetOf: (type: string) => ConfigNode | undefined): ConfigNode {
  const deployment = childOf(part, 'deployment');
  const type = childOf(deployment, 'type');
  const own = nodeAt(root, ['deployment', 'type']);
  const isOther = type?.kind === 'scalar' && !(own?.kind === 'scalar' && own.value === type.value);
  const preset = isOther ? presetOf(String(type.value)) : undefined;
  const named = deployment === undefined ? [] : weightKeys.filter((key) => isSet(childOf(deployment, key)));
  const based = preset === undefined ? root : withNodeAt(root, ['deployment'], preset);
  const cleared = named.length === 0 && preset === undefined ? based : withoutModelNames(based);
  return [
    { from: ['deployment'], to: ['deployment'] },
    { from: ['target'], to: ['target'] },
    { from: ['nemo_evaluator_config'], to: ['evaluation', 'nemo_evaluator_config'] },
    { from: ['env_vars'], to: ['evaluation', 'env_vars'] },
  ].reduce((tree, { from, to }) => withMerged(tree, to, nodeAt(part, from)), cleared);
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

function withMerged(root: ConfigNode, path: Path, over: ConfigNode | undefined): ConfigNode {
  if (over === undefined || isNull(over)) return root;
  const base = nodeAt(root, path);
  return withNodeAt(root, path, base === undefined ? over : mergeNodes(base, over));
}

/** Splits the tasks of a model by their own deployments. */
function byTask(whole: ConfigNode, { model, root }: Pick<Variant, 'model' | 'root'>): Variant[] {
  const list = nodeAt(whole, ['evaluation', 'tasks']);
  const items = list?.kind === 'list' ? list.items : [];
  const groups = new Map<string, { readonly part: MapNode; readonly tasks: number[] }>();
  const common: number[] = [];
  for (const [index, item] of items.entries()) {
    const given = childOf(item, 'deployment');
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
    root: withMerged(root, ['deployment'], part),
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
