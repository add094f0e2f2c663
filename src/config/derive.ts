/** Fills in values that follow from others, before interpolation so that templates see them too. */
import { resolveOne } from './hydra/interpolation/resolve-interpolations';
import type { Environment } from './environment';
import { auxiliaryNames } from './auxiliary-references';
import { isNull, nodeAt, withNodeAt } from './yaml/tree';
import type { ConfigNode } from './yaml/tree';

/** Returns the number of GPUs of a resource shape: `gpu.8xh200` 8, `gpu.h100-sxm` 1, `cpu.small` 0; `undefined` if its name does not tell. */
export function gpusOfShape(shape: string): number | undefined {
  const counted = /(?:^|\.)(\d+)x/i.exec(shape)?.[1];
  if (counted !== undefined) return Number(counted);
  if (/^gpu(?:\.|$)/i.test(shape)) return 1;
  return /^cpu(?:\.|$)/i.test(shape) ? 0 : undefined;
}

/** Returns the last part of a checkpoint's path, or a hub handle unchanged. */
export const modelNameOf = (reference: string): string =>
  reference.startsWith('/') || reference.startsWith('.')
    ? (reference.replace(/\/+$/, '').split('/').at(-1) ?? reference)
    : reference;

/** Returns `root` with `served_model_name`, the resource shape and `tensor_parallel_size` filled in where they are unset. */
export function fillDerived(root: ConfigNode, env: Environment): ConfigNode {
  return [['deployment'], ...auxiliaryNames(root).map((name) => ['auxiliary_deployments', name])].reduce(
    (tree, at) => fillDeployment(tree, at, env),
    root,
  );
}

function fillDeployment(root: ConfigNode, at: readonly string[], env: Environment): ConfigNode {
  const read = readerOf(root, env);
  const type = read(...at, 'type');
  if (type === undefined || type === 'none') return root;
  const shaped = fillShape(fillServedName(root, at, read), at, read);
  return fillTensorParallelSize(shaped, at, readerOf(shaped, env));
}

const readerOf =
  (root: ConfigNode, env: Environment): ReadText =>
  (...path) => {
    const node = resolveOne(root, path, env, 'as written');
    if (node?.kind !== 'scalar' || node.value === null || node.value === '???') return undefined;
    return node.text ?? String(node.value);
  };

const parallelTypes = ['vllm', 'sglang', 'trtllm'];

export const shapePath = ['deployment', 'lepton_config', 'resource_shape'];

/** A resource shape that nobody chose has as many GPUs as the parallel sizes need, up to one node. */
function fillShape(root: ConfigNode, at: readonly string[], read: ReadText): ConfigNode {
  const place = [...at, 'lepton_config', 'resource_shape'];
  const written = nodeAt(root, place);
  if (!parallelTypes.includes(read(...at, 'type') ?? '') || written?.origin.preset !== true) return root;
  const sizes = ['tensor_parallel_size', 'pipeline_parallel_size', 'data_parallel_size'].map((key) =>
    Number(read(...at, key) ?? 1),
  );
  const needed = sizes.reduce((product, size) => product * (size > 0 ? size : 1), 1);
  if (!(needed > 1)) return root;
  const gpus = [2, 4, 8].find((count) => count >= needed) ?? 8;
  return withNodeAt(root, place, derivedScalar(`gpu.${gpus}xh200`, [...at, 'tensor_parallel_size'].join('.')));
}

type ReadText = (...path: string[]) => string | undefined;

function fillServedName(root: ConfigNode, at: readonly string[], read: ReadText): ConfigNode {
  const path = [...at, 'served_model_name'];
  if (!isUnset(root, path)) return root;
  const sources = [
    ...(at[0] === 'deployment' ? [['target', 'api_endpoint', 'model_id']] : []),
    [...at, 'model_id'],
    [...at, 'hf_model_handle'],
    [...at, 'checkpoint_path'],
  ];
  for (const source of sources) {
    const found = read(...source);
    if (found !== undefined && found !== '' && found !== 'None')
      return withNodeAt(root, path, derivedScalar(modelNameOf(found), source.join('.')));
  }
  return root;
}

function fillTensorParallelSize(root: ConfigNode, at: readonly string[], read: ReadText): ConfigNode {
  const path = [...at, 'tensor_parallel_size'];
  const type = read(...at, 'type') ?? '';
  if (!parallelTypes.includes(type) || !isUnset(root, path)) return root;
  const shape = read(...at, 'lepton_config', 'resource_shape') ?? 'gpu.1xh200';
  const others = ['pipeline_parallel_size', 'data_parallel_size'].map((key) => Number(read(...at, key) ?? 1));
  const size = Math.floor(
    (gpusOfShape(shape) ?? 1) / others.reduce((product, value) => product * (value > 0 ? value : 1), 1),
  );
  return withNodeAt(root, path, derivedScalar(Math.max(1, size), [...at, 'lepton_config', 'resource_shape'].join('.')));
}

/** Absent, null or `???`. */
function isUnset(root: ConfigNode, path: string[]): boolean {
  const node = nodeAt(root, path);
  if (nodeAt(root, path.slice(0, -1))?.kind !== 'map') return false;
  return node === undefined || isNull(node) || (node.kind === 'scalar' && node.value === '???');
}

const derivedScalar = (value: string | number, from: string): ConfigNode => ({
  kind: 'scalar',
  value,
  verbatim: true,
  origin: { derived: from },
});
