/** Reads forms that only configs for other executors have, as what they mean here. Before interpolation; pure. */
import { isLoopbackUrl } from '../plan/existing-url';
import { placeOf } from '../yaml/problems';
import type { ConfigProblem } from '../yaml/problems';
import { dotted, emptyMap, isMissing, isNull, nodeAt, placeOfNode, withNodeAt, withoutNodeAt } from '../yaml/tree';
import type { ConfigNode, Path } from '../yaml/tree';

export interface ForeignForms {
  readonly root: ConfigNode;
  /** What was read as what. */
  readonly warnings: readonly ConfigProblem[];
}

export function withForeignForms(root: ConfigNode): ForeignForms {
  return [withTaskList, withModelPath, withServedName, withoutOwnUrl, withServerVariables].reduce(
    ({ root: before, warnings }: ForeignForms, step) => {
      const after = step(before);
      return { root: after.root, warnings: [...warnings, ...after.warnings] };
    },
    { root, warnings: [] },
  );
}

/** `evaluation` as a list is the list of its tasks. */
function withTaskList(root: ConfigNode): ForeignForms {
  const at = ['evaluation'];
  const node = nodeAt(root, at);
  if (node?.kind !== 'list') return unchanged(root);
  const { keyOrigin, ...list } = node;
  const section = withNodeAt(emptyMap(keyOrigin ?? node.origin), ['tasks'], list);
  return said(withNodeAt(root, at, section), node, at, 'is a list: it is read as `evaluation.tasks`');
}

/** Documentation of launcher 0.1 has `model_path` for what its presets call `checkpoint_path`. */
function withModelPath(root: ConfigNode): ForeignForms {
  const at = ['deployment', 'model_path'];
  const target = ['deployment', 'checkpoint_path'];
  const node = nodeAt(root, at);
  if (node === undefined || isGiven(root, target) || isGiven(root, ['deployment', 'hf_model_handle']))
    return unchanged(root);
  return said(withNodeAt(withoutNodeAt(root, at), target, node), node, at, `is read as \`${dotted(target)}\``);
}

/** Beside a deployment, `target.api_endpoint.model_id` can only be the name under which it serves. */
function withServedName(root: ConfigNode): ForeignForms {
  const at = ['target', 'api_endpoint', 'model_id'];
  const target = ['deployment', 'served_model_name'];
  const node = nodeAt(root, at);
  if (!deploys(root) || node === undefined || !isGiven(root, at) || isGiven(root, target)) return unchanged(root);
  return said(withNodeAt(root, target, node), node, at, `is used as \`${dotted(target)}\``);
}

/** The URL that a deployment has on the machine where its jobs run, too. A URL elsewhere contradicts the deployment. */
function withoutOwnUrl(root: ConfigNode): ForeignForms {
  const at = ['target', 'api_endpoint', 'url'];
  const node = nodeAt(root, at);
  if (!deploys(root) || node?.kind !== 'scalar' || !isOwnMachine(String(node.value))) return unchanged(root);
  return said(withoutNodeAt(root, at), node, at, 'is ignored: each task asks the endpoint that is deployed for it');
}

const isOwnMachine = (text: string): boolean => URL.canParse(text) && isLoopbackUrl(text);

/** Another variable of the job's container, which the server's does not have. */
const isOfContainer = (value: ConfigNode): boolean =>
  value.kind === 'scalar' && String(value.value).startsWith('runtime:');

/** The other executors give the variables at the top to the server too. */
function withServerVariables(root: ConfigNode): ForeignForms {
  const node = nodeAt(root, ['env_vars']);
  if (!deploys(root) || node?.kind !== 'map') return unchanged(root);
  const isSet = (name: string): boolean =>
    [['env_vars'], ['envs'], ['lepton_config', 'envs']].some((map) => isPresent(root, ['deployment', ...map, name]));
  const shared = [...node.entries].filter(([name, value]) => !isNull(value) && !isSet(name) && !isOfContainer(value));
  const [first] = shared;
  if (first === undefined) return unchanged(root);
  const given = shared.reduce((tree, [name, value]) => withNodeAt(tree, ['deployment', 'env_vars', name], value), root);
  const names = shared.map(([name]) => name).join(', ');
  return said(given, first[1], ['env_vars'], `${names}: also for the model server, as with the other executors`);
}

const unchanged = (root: ConfigNode): ForeignForms => ({ root, warnings: [] });

const said = (root: ConfigNode, node: ConfigNode, at: Path, message: string): ForeignForms => ({
  root,
  warnings: [{ ...placeOf(placeOfNode(node)), path: dotted(at), message }],
});

function deploys(root: ConfigNode): boolean {
  const type = nodeAt(root, ['deployment', 'type']);
  return type?.kind === 'scalar' && typeof type.value === 'string' && type.value !== 'none';
}

function isPresent(root: ConfigNode, at: Path): boolean {
  const node = nodeAt(root, at);
  return node !== undefined && !isNull(node);
}

const isGiven = (root: ConfigNode, at: Path): boolean => isPresent(root, at) && !isMissing(nodeAt(root, at));
