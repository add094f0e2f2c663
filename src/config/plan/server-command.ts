/** Makes the command line of a model server. Pure. */
import type { DedicatedDeployment } from '../schema/deployment';
import { shellWords } from '../../support/shell';
import type { ProblemReport } from './problem-report';

/** Returns the model to serve: a path in the container, or a hub handle. */
export function modelReference(deployment: DedicatedDeployment): string | undefined {
  const weights = 'checkpoint_path' in deployment ? (deployment.checkpoint_path ?? deployment.hf_model_handle) : null;
  return weights ?? deployment.model_id ?? undefined;
}

/** Whether a reference is a hub handle, `org/name`. */
export const isHubHandle = (reference: string): boolean => /^[A-Za-z0-9][\w.-]*\/[\w.-]+$/.test(reference);

/** Returns the container's command; `undefined` to keep the image's entry point. */
export function serverCommand({
  deployment,
  model,
  servedModel,
  report,
}: {
  deployment: DedicatedDeployment;
  model: string;
  servedModel: string;
  report: ProblemReport;
}): readonly string[] | undefined {
  if (isCustom(deployment, report)) return ['/bin/bash', '-c', customCommand(deployment, report)];
  const extra = 'extra_args' in deployment ? (deployment.extra_args ?? '') : '';
  const words = shellWords(extra);
  if (words === undefined)
    report.add('deployment.extra_args', 'a quote is not closed', 'arguments are split as in a shell: quote as there');
  const args = standardCommand(deployment, model, servedModel);
  return args === undefined ? undefined : [...args, ...(words ?? [])];
}

/** Whether `command` or `base_command` comes from the user, not from a preset. */
function isCustom(deployment: DedicatedDeployment, report: ProblemReport): boolean {
  if (deployment.type === 'generic') return true;
  const keys = deployment.type === 'vllm' ? ['command', 'base_command'] : ['command'];
  return keys.some((key) => {
    const node = report.node(['deployment', key]);
    return node?.kind === 'scalar' && node.value !== null && node.origin.preset !== true;
  });
}

function customCommand(deployment: DedicatedDeployment, report: ProblemReport): string {
  const command = deployment.command ?? '';
  if (
    'extra_args' in deployment &&
    deployment.extra_args !== null &&
    deployment.extra_args.trim() !== '' &&
    !command.includes(deployment.extra_args.trim())
  ) {
    report.add(
      'deployment.extra_args',
      'has no effect with your own `command`',
      'use ${deployment.extra_args} in the command',
    );
  }
  return command;
}

function standardCommand(deployment: DedicatedDeployment, model: string, servedModel: string): string[] | undefined {
  const port = String(deployment.port);
  switch (deployment.type) {
    case 'vllm':
      return [
        'vllm',
        'serve',
        model,
        `--tensor-parallel-size=${deployment.tensor_parallel_size ?? 1}`,
        `--pipeline-parallel-size=${deployment.pipeline_parallel_size}`,
        `--data-parallel-size=${deployment.data_parallel_size}`,
        `--port=${port}`,
        `--served-model-name=${servedModel}`,
        ...(deployment.gpu_memory_utilization === null
          ? []
          : [`--gpu-memory-utilization=${deployment.gpu_memory_utilization}`]),
      ];
    case 'sglang':
      return [
        'python3',
        '-m',
        'sglang.launch_server',
        `--model-path=${model}`,
        '--host=0.0.0.0',
        `--port=${port}`,
        `--served-model-name=${servedModel}`,
        `--tp=${deployment.tensor_parallel_size ?? 1}`,
        `--dp=${deployment.data_parallel_size}`,
        ...(deployment.pipeline_parallel_size === 1 ? [] : [`--pp-size=${deployment.pipeline_parallel_size}`]),
      ];
    case 'trtllm':
      return [
        'mpirun',
        '--allow-run-as-root',
        '--oversubscribe',
        'trtllm-serve',
        'serve',
        model,
        `--tp_size=${deployment.tensor_parallel_size ?? 1}`,
        `--pp_size=${deployment.pipeline_parallel_size}`,
        '--host',
        '0.0.0.0',
        '--port',
        port,
        '--backend',
        'pytorch',
        '--trust_remote_code',
      ];
    case 'nim':
    case 'generic':
      return undefined;
  }
}

/** Wraps `command` in a shell that first copies variables and runs `preCmd`. */
export function wrapCommand({
  command,
  preCmd,
  runtime,
}: {
  command: readonly string[];
  preCmd: string | null;
  runtime: readonly { readonly name: string; readonly from: string }[];
}): readonly string[] {
  if (preCmd === null && runtime.length === 0) return command;
  const exports = runtime.map(({ name, from }) => `export ${name}="\${${from}-}"; `).join('');
  const source =
    preCmd === null
      ? ''
      : `pre="$(mktemp)"; printf %s '${Buffer.from(preCmd, 'utf8').toString('base64')}' | base64 -d > "$pre"; . "$pre"; rm -f "$pre"; `;
  return ['/bin/bash', '-c', `set -e; ${exports}${source}exec "$@"`, 'evalsaga', ...command];
}
