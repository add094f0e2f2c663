/** `deployment`: the endpoint gets as many GPUs as the launcher's server had, and weights come from where Lepton has them. */
import type { DocumentPath } from '../yaml-nodes';
import type { Session } from '../session';

/** What the launcher's presets set. */
const presetTensorParallelSize = 8;

/** GPUs of one node, which is as large as an endpoint's replica gets. */
const gpusPerNode = 8;

const shapePath = ['deployment', 'lepton_config', 'resource_shape'];

export function migrateDeployment(session: Session): void {
  const { document, deployment, executor } = session;
  if (deployment === undefined) return;
  if (deployment === 'none') {
    dropWithoutServer(session);
    return;
  }
  if (deployment === 'sglang') translateMemoryFraction(session);
  if (deployment === 'nim')
    for (const key of ['tensor_parallel_size', 'pipeline_parallel_size', 'data_parallel_size', 'checkpoint_path'])
      session.remove(['deployment', key], 'a NIM holds its own weights, and chooses by its profile how to split them');
  for (const key of ['checkpoint_path', 'hf_model_handle', 'served_model_name'])
    if (document.text(['deployment', key]) === 'None') {
      document.setText(['deployment', key], 'null');
      session.changed(['deployment', key], 'null (was None)', '`None` is text in YAML');
    }
  if (executor === 'lepton') return;
  chooseWeights(session);
  chooseShape(session, deployment);
  checkCommand(session);
}

function dropWithoutServer(session: Session): void {
  const why = 'nothing is deployed with `none`';
  for (const key of session.document.keys(['deployment'])) if (key !== 'type') session.remove(['deployment', key], why);
}

function translateMemoryFraction(session: Session): void {
  const { document } = session;
  const from = ['deployment', 'gpu_memory_utilization'];
  const fraction = document.text(from);
  if (fraction === undefined) {
    session.remove(from, 'SGLang has no such setting');
    return;
  }
  const to = ['deployment', 'extra_args'];
  const given = document.text(to);
  if (given?.includes('--mem-fraction-static') === true) {
    session.remove(from, '`extra_args` sets --mem-fraction-static already');
    return;
  }
  document.take(from);
  document.setText(to, [given, `--mem-fraction-static ${fraction}`].filter(Boolean).join(' '));
  session.changed(from, `extra_args: … --mem-fraction-static ${fraction}`, "SGLang's name for it");
}

/** The launcher served `hf_model_handle` if there was one, else the folder `checkpoint_path`, mounted as /checkpoint. */
function chooseWeights(session: Session): void {
  const { document } = session;
  const folder = ['deployment', 'checkpoint_path'];
  const handle = document.text(['deployment', 'hf_model_handle']);
  const written = document.text(folder);
  if (written === undefined) return;
  if (handle !== undefined && handle !== '???')
    session.remove(folder, '`hf_model_handle` names the model: the launcher served that');
}

/** Returns a size; `undefined` if it is not written, and NaN if it can't be told from the file. */
function sizeAt(session: Session, key: string): number | undefined {
  const { document } = session;
  const path = ['deployment', key];
  return document.has(path) && !document.isNull(path) ? Number(document.text(path)) : undefined;
}

function chooseShape(session: Session, deployment: string): void {
  const { document } = session;
  if (document.has(shapePath)) return;
  const needed = gpusOf(session, deployment);
  if (needed === undefined || !Number.isInteger(needed) || needed < 2) return;
  const gpus = [2, 4, 8].find((count) => count >= needed) ?? needed;
  const from: DocumentPath = ['deployment', 'tensor_parallel_size'];
  if (gpus > gpusPerNode) {
    session.ask(
      document.has(from) ? from : ['deployment'],
      `the server ran on ${gpus} GPUs of several nodes; an endpoint's replica is one node`,
      'lower tensor_parallel_size × pipeline_parallel_size × data_parallel_size to what one node has, and set lepton_config.resource_shape',
    );
    return;
  }
  document.putText(shapePath, `gpu.${gpus}xh200`);
  session.changed(
    document.has(from) ? from : ['deployment'],
    `deployment.lepton_config.resource_shape: gpu.${gpus}xh200`,
    `the server ran on ${gpus} GPUs; if the workspace has others than H200, change the shape (doctor checks it)`,
  );
}

function gpusOf(session: Session, deployment: string): number | undefined {
  const tensor = sizeAt(session, 'tensor_parallel_size');
  const others = (sizeAt(session, 'pipeline_parallel_size') ?? 1) * (sizeAt(session, 'data_parallel_size') ?? 1);
  if (deployment === 'nim' || deployment === 'generic') return slurmGpus(session);
  if (tensor !== undefined) return tensor * others;
  // Without a size of its own the file used the preset's.
  return others > 1 ? Math.max(others, presetTensorParallelSize) : presetTensorParallelSize;
}

function slurmGpus({ document }: Session): number | undefined {
  const text = document.text(['execution', 'gpus_per_node']) ?? document.text(['execution', 'gres']);
  const count = /(?:^|:)(\d+)$/.exec(text ?? '')?.[1];
  return count === undefined ? undefined : Number(count);
}

/** Variables that Slurm, or the launcher's script for it, sets for the server. */
const slurmVariables = /\$\{?\\?\{?(SLURM_\w+|MASTER_IP|PROC_ID|NODES_PER_INSTANCE|ALL_NODE_IPS)\b/;

function checkCommand(session: Session): void {
  const { document } = session;
  for (const key of ['command', 'pre_cmd', 'extra_args']) {
    const path = ['deployment', key];
    const found = slurmVariables.exec(document.text(path) ?? '')?.[1];
    if (found === undefined) continue;
    session.ask(
      path,
      `it uses ${found}, which only Slurm sets: an endpoint's replica is one node`,
      'remove it to use the usual command, or write one for a single node',
    );
  }
}
