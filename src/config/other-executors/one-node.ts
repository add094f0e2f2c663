/** Fits a model server for several nodes of a Slurm cluster to replicas on Lepton, of which each is one node. Before interpolation; pure. */
import { shapePath } from '../derive';
import type { Environment } from '../environment';
import { resolveOne } from '../hydra/interpolation/resolve-interpolations';
import { placeOf } from '../yaml/problems';
import type { ConfigProblem, Origin } from '../yaml/problems';
import { dotted, nodeAt, placeOfNode, withNodeAt } from '../yaml/tree';
import type { ConfigNode, Path } from '../yaml/tree';

export interface OneNode {
  readonly root: ConfigNode;
  readonly warnings: readonly ConfigProblem[];
}

/** GPUs of the largest shape that is chosen for a config without one. */
const nodeGpus = 8;

/** As many 80-GB GPUs have hardly more memory than one node of that shape. */
const mostGpusForOneNode = 16;

const tensorPath = ['deployment', 'tensor_parallel_size'];
const pipelinePath = ['deployment', 'pipeline_parallel_size'];
const dataPath = ['deployment', 'data_parallel_size'];
const replicaPaths = ['min_replicas', 'max_replicas'].map((key) => ['deployment', 'lepton_config', key]);

/** Changes nothing where the user chose a resource shape, or where the sizes do not fit the nodes that the file asks for. */
export function withOneNode(root: ConfigNode, env: Environment): OneNode {
  const fitted = isFree(root, shapePath) ? withFittedSizes(root, env) : { root, warnings: [] };
  return { root: withSlurmVariables(fitted.root), warnings: fitted.warnings };
}

function withFittedSizes(root: ConfigNode, env: Environment): OneNode {
  const read = (path: Path): number => Math.max(1, Number(textOf(resolveOne(root, path, env, 'as written')) ?? 1) || 1);
  const [tensor, pipeline, data] = [tensorPath, pipelinePath, dataPath].map(read) as [number, number, number];
  const nodes = Math.max(read(['execution', 'num_nodes']), read(['execution', 'nodes']));
  const copy = tensor * pipeline;
  if (copy * data <= nodeGpus || copy * data > nodeGpus * nodes) return { root, warnings: [] };
  if (copy <= nodeGpus) return withReplicas(root, { copy, data });
  return copy <= mostGpusForOneNode && tensor <= nodeGpus
    ? withSmallerPipeline(root, { tensor, pipeline, data })
    : { root, warnings: [] };
}

/** Copies of the model on several nodes become replicas; as many as a node holds stay together. */
function withReplicas(root: ConfigNode, { copy, data }: { copy: number; data: number }): OneNode {
  const most = Math.floor(nodeGpus / copy);
  const together =
    Array.from({ length: most }, (_none, index) => most - index).find((count) => data % count === 0) ?? 1;
  const replicas = data / together;
  if (!replicaPaths.every((path) => isFree(root, path))) return { root, warnings: [] };
  return {
    root: withNumbers(root, [[dataPath, together], ...replicaPaths.map((path) => [path, replicas] as const)]),
    warnings: [
      warning(
        root,
        dataPath,
        `${data} copies of the model on several nodes become ${replicas} replicas with ${together} each, since a replica runs on one node`,
      ),
    ],
  };
}

/** One node of the default shape has to do for what was two nodes of smaller GPUs. */
function withSmallerPipeline(
  root: ConfigNode,
  { tensor, pipeline, data }: { tensor: number; pipeline: number; data: number },
): OneNode {
  const stages = Math.floor(nodeGpus / tensor);
  const replicas = data === 1 ? [] : [[dataPath, 1] as const, ...replicaPaths.map((path) => [path, data] as const)];
  if (data > 1 && !replicaPaths.every((path) => isFree(root, path))) return { root, warnings: [] };
  return {
    root: withNumbers(root, [[pipelinePath, stages], ...replicas]),
    warnings: [
      {
        ...warning(
          root,
          pipelinePath,
          `is ${stages} here instead of ${pipeline}, since a replica runs on one node: the model must fit into ${tensor * stages} GPUs`,
        ),
        hint: 'if it does not, set deployment.lepton_config.resource_shape to a shape that holds it',
      },
    ],
  };
}

/** What Slurm and the launcher set in the first task of a one-node job, for commands that ask for it. */
const slurmVariables: Readonly<Record<string, string>> = {
  SLURM_PROCID: '0',
  SLURM_NODEID: '0',
  SLURM_LOCALID: '0',
  SLURM_NTASKS: '1',
  SLURM_NNODES: '1',
  SLURM_JOB_NUM_NODES: '1',
  PROC_ID: '0',
  INSTANCE_ID: '0',
  NODES_PER_INSTANCE: '1',
  MASTER_IP: '127.0.0.1',
  ALL_NODE_IPS: '127.0.0.1',
};

function withSlurmVariables(root: ConfigNode): ConfigNode {
  const commands = ['command', 'base_command', 'pre_cmd'].flatMap((key) => {
    const node = nodeAt(root, ['deployment', key]);
    return node?.kind === 'scalar' && node.origin.preset !== true
      ? [{ text: String(node.value), origin: node.origin }]
      : [];
  });
  return Object.entries(slurmVariables).reduce((tree, [name, value]) => {
    const user = commands.find(({ text }) => new RegExp(`\\$\\{?${name}\\b`).test(text));
    const at = ['deployment', 'env_vars', name];
    const isSet = nodeAt(tree, at) !== undefined || nodeAt(tree, ['deployment', 'envs', name]) !== undefined;
    return user === undefined || isSet ? tree : withNodeAt(tree, at, leaf(`lit:${value}`, user.origin));
  }, root);
}

const withNumbers = (root: ConfigNode, values: readonly (readonly [Path, number])[]): ConfigNode =>
  values.reduce((tree, [path, value]) => withNodeAt(tree, path, leaf(value, nodeAt(root, path)?.origin ?? {})), root);

const leaf = (value: string | number, origin: Origin): ConfigNode => ({
  kind: 'scalar',
  value,
  verbatim: true,
  origin: { ...origin, preset: false },
});

const warning = (root: ConfigNode, path: Path, message: string): ConfigProblem => ({
  ...placeOf(placeOfNode(nodeAt(root, path))),
  path: dotted(path),
  message,
});

/** Whether the user left the choice to presets. */
function isFree(root: ConfigNode, path: Path): boolean {
  const node = nodeAt(root, path);
  return node === undefined || node.origin.preset === true;
}

const textOf = (node: ConfigNode | undefined): string | undefined =>
  node?.kind === 'scalar' && node.value !== null ? String(node.value) : undefined;
