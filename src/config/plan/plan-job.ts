/** Plans the evaluation job of a task. */
import path from 'node:path';
import type { EnvEntry, JobSpec, MountSpec, StoragePlan } from '../../contract/plan';
import { outputDirVariable } from '../../contract/identity';
import type { ResolvedConfig } from '../schema/config';
import type { EnvSources } from '../schema/variables';
import { variablesIn } from '../../contract/url-placeholders';
import { endpointKey, existingEndpointKey } from './endpoint-access';
import type { EndpointAccess } from './endpoint-access';
import { jobCommand, maxCommandBytes, urlSecretsOf } from './job-script';
import type { JobScript } from './job-script';
import type { SharedCaches } from './shared-caches';
import type { EndpointWait } from './wait-script';
import { ownSetting } from './own-settings';
import type { TaskAuxiliaries } from './plan-auxiliary';
import type { ProblemReport } from './problem-report';
import type { ResolvedTask } from './resolve-task';
import { runConfig } from './run-config';
import { packsResults } from './run-fields';
import { isHubHandle, modelReference } from './server-command';
import { furtherMounts as additionalMounts } from './plan-storage';
import { given } from './wire-objects';
import { hasVariable, mergeVariables } from './merge-variables';
import type { Variables } from './merge-variables';

/** The variable in which the harness finds the path of `dataset_dir`. */
const datasetVariable = 'NEMO_EVALUATOR_DATASET_DIR';

/** Set to 0 unless the user sets it. */
const telemetryVariable = 'NEMO_EVALUATOR_TELEMETRY_LEVEL';

export interface JobRequest {
  readonly config: ResolvedConfig;
  readonly task: ResolvedTask;
  readonly folder: string;
  readonly model: string;
  readonly storage: StoragePlan;
  readonly trustCommands: boolean;
  /** The request URL, if it is not the run's common one. */
  readonly modelUrl: string | null;
  /** How the task's own endpoint is called; `null`: it uses an existing one. */
  readonly access: EndpointAccess | null;
  readonly endpointPath: string;
  readonly caches: SharedCaches | undefined;
  readonly auxiliaries: TaskAuxiliaries;
  readonly report: ProblemReport;
}

/** Plans the job; problems are added to `report`. */
export function jobSpec(request: JobRequest): JobSpec {
  const { config, task, folder, storage, access, caches, auxiliaries, report } = request;
  const { lepton_platform: lepton } = config.execution;
  const variables = jobVariables(config, task);
  const of = { task, variables };
  // A URL of the task's own is another server's, which has no business with the key of the run's endpoint.
  const isElsewhere = access === null || ownSetting(config, task, 'url') !== undefined;
  const key = isElsewhere ? existingEndpointKey(config, of) : endpointKey(config, of, access);
  // A key of an existing endpoint may be a literal; what opens the run's own endpoint is known.
  const hasOwnKey = key !== undefined && isElsewhere && hasVariable(variables, key.name);
  const wait = isElsewhere ? undefined : endpointWait(request, key?.name ?? null);
  const tellsLastRequest = !isElsewhere && mayRelease(request);
  const script = {
    ...jobScriptOf(request, variables, key?.name ?? null),
    ...(wait === undefined ? {} : { wait }),
    ...(tellsLastRequest ? { tellsLastRequest } : {}),
  };
  const command = jobCommand(script);
  const bytes = Buffer.byteLength(command[2]);
  if (bytes > maxCommandBytes)
    report.add(
      `evaluation.tasks.${task.index}`,
      `the job's command has ${kilobytes(bytes)}, more than the limit of ${kilobytes(maxCommandBytes)}`,
      'put large data into a file on a mount, and refer to the file',
    );
  const dataset = datasetMount(config, task);
  if (dataset !== undefined && hasVariable(variables, datasetVariable))
    report.add(
      `evaluation.tasks.${task.index}.dataset_dir`,
      `sets ${datasetVariable}, and so do the task's variables`,
      'remove one of the two',
    );
  return {
    container: { image: task.image, command },
    envs: uniqueByName([
      ...(caches?.ofJob ?? []).filter(({ name }) => !hasVariable(variables, name)),
      ...variables.entries.map((entry) =>
        'value' in entry ? { ...entry, value: auxiliaries.inText(entry.value) } : entry,
      ),
      ...auxiliaries.entries,
      ...(key === undefined || hasOwnKey ? [] : [{ name: key.name, secret: key.secret }]),
      ...(dataset === undefined ? [] : [{ name: datasetVariable, value: dataset.mount_path }]),
      ...urlSecretsOf(script).map((name): EnvEntry => ({ name, secret: { kind: 'host', name } })),
      ...(hasVariable(variables, telemetryVariable) ? [] : [{ name: telemetryVariable, value: '0' }]),
      { name: outputDirVariable, value: path.posix.join(storage.mount.mount_path, folder) },
    ]),
    mounts: [
      storage.mount,
      ...additionalMounts(config),
      ...(dataset === undefined ? [] : [dataset]),
      ...(caches ? [caches.mount] : []),
    ],
    nodeGroup: lepton.tasks.node_group,
    ...(lepton.tasks.allowed_nodes.length === 0 ? {} : { allowedNodes: lepton.tasks.allowed_nodes }),
    ...(tellsLastRequest ? { tellsLastRequest } : {}),
    body: jobBody(config),
  };
}

function jobBody({ execution }: ResolvedConfig): JobSpec['body'] {
  const { evaluation_tasks: tasks, lepton_platform: lepton } = execution;
  return {
    resource_shape: tasks.resource_shape,
    ...(lepton.tasks.image_pull_secrets.length === 0 ? {} : { image_pull_secrets: lepton.tasks.image_pull_secrets }),
    ...given(lepton.tasks, [
      'queue_config',
      'reservation_config',
      'storage_attachments',
      'user_security_context',
      'log',
      'metrics',
    ]),
    shared_memory_size: tasks.shared_memory_size,
    completions: 1,
    parallelism: 1,
    intra_job_communication: false,
    ttl_seconds_after_finished: tasks.ttl_after_finished,
  };
}

/** Returns the variables of a job. The most specific map, the task's own, wins. */
export function jobVariables(config: ResolvedConfig, task: ResolvedTask): Variables {
  const byName: EnvSources = Object.fromEntries(
    config.execution.env_var_names.map((name) => [name, { kind: 'secret', secret: { kind: 'host', name } }]),
  );
  return mergeVariables([
    byName,
    config.env_vars,
    config.execution.lepton_platform.tasks.env_vars,
    config.evaluation.env_vars,
    task.config.env_vars,
  ]);
}

function jobScriptOf(
  { config, task, model, trustCommands, modelUrl, auxiliaries, report }: JobRequest,
  variables: Variables,
  apiKeyName: string | null,
): JobScript {
  const { yaml, ownUrl } = runConfig({
    common: config.evaluation.nemo_evaluator_config,
    own: task.config.nemo_evaluator_config,
    evaluationType: task.evaluationType,
    model,
    endpointType: task.kind,
    apiKeyName,
    url: modelUrl !== null && variablesIn(modelUrl).length > 0 ? modelUrl : null,
    extra: tokenizerFor(config, task),
    fill: auxiliaries.inConfig,
  });
  const filled = (lines: string | null): string | null => (lines === null ? null : auxiliaries.inText(lines));
  return {
    task: task.task,
    runConfig: yaml,
    preCmd: filled(shellLines('pre_cmd', request(config, task), trustCommands, report)),
    postCmd: filled(shellLines('post_cmd', request(config, task), trustCommands, report)),
    timeoutSeconds: config.execution.evaluation_tasks.timeout,
    modelUrl,
    ownUrl,
    ...(packsResults(config) ? { packs: { skip: config.execution.skip_results } } : {}),
    runtimeVariables: variables.runtime,
  };
}

/** Harnesses whose first request can be held back, and whose last one is known: it was tried with them. */
const hookable = ['lm-evaluation-harness'];

/** Whether the job's own endpoint may go before the job has ended. Other tasks may still need one that is shared. */
const mayRelease = ({ config: { execution }, task, auxiliaries }: JobRequest): boolean =>
  execution.release_endpoint === 'after_last_request' &&
  hookable.includes(task.harness) &&
  !auxiliaries.uses.some(({ servesModel }) => servesModel !== undefined);

/** What a job that starts early waits for; `undefined`: it starts when its endpoint is Ready. */
function endpointWait(
  { config: { deployment, execution }, task, model, endpointPath, auxiliaries }: JobRequest,
  keyVariable: string | null,
): EndpointWait | undefined {
  // A job that asks shared endpoints gets their URLs when it is submitted, and so begins when they are Ready.
  if (!execution.start_jobs_early || deployment.type === 'none' || auxiliaries.uses.length > 0) return undefined;
  return {
    endpointPath,
    healthPath: deployment.endpoints['health'] ?? null,
    servedModel: model,
    keyVariable,
    seconds: execution.lepton_platform.deployment.endpoint_readiness_timeout + spareSeconds,
    holdsRequests: hookable.includes(task.harness),
  };
}

/** The run ends a job whose endpoint is not Ready in time; the job itself does so later, in case nobody is there. */
const spareSeconds = 600;

const request = (config: ResolvedConfig, task: ResolvedTask) => ({ config, task });

/** Returns the task's shell lines, else those of `evaluation`. */
function shellLines(
  key: 'pre_cmd' | 'post_cmd',
  { config, task }: { config: ResolvedConfig; task: ResolvedTask },
  trusted: boolean,
  report: ProblemReport,
): string | null {
  const own = task.config[key];
  const isOwn = own !== null && own.trim() !== '';
  const lines = isOwn ? own : config.evaluation[key];
  if (lines === null || lines.trim() === '') return null;
  if (!trusted)
    report.addOnce(
      isOwn ? `evaluation.tasks.${task.index}.${key}` : `evaluation.${key}`,
      'runs shell lines in the container',
      'if you trust this file, set NEMO_EVALUATOR_TRUST_PRE_CMD=1',
    );
  return `${lines}\n`;
}

/** lm-evaluation-harness scores log-probabilities by token, for which it needs the model's tokenizer. */
function tokenizerFor({ deployment }: ResolvedConfig, task: ResolvedTask): Record<string, string> {
  if (
    task.harness !== 'lm-evaluation-harness' ||
    task.catalogueEntry?.capabilities?.includes('logprobs') !== true ||
    deployment.type === 'none'
  )
    return {};
  const reference = modelReference(deployment);
  return reference !== undefined && isHubHandle(reference)
    ? { tokenizer: reference, tokenizer_backend: 'huggingface' }
    : {};
}

function datasetMount(config: ResolvedConfig, { config: task }: ResolvedTask): MountSpec | undefined {
  const from = config.execution.lepton_platform.tasks.mounts[0]?.from;
  if (task.dataset_dir === null || from === undefined) return undefined;
  return { path: task.dataset_dir, from, mount_path: task.dataset_mount_path };
}

const uniqueByName = (entries: readonly EnvEntry[]): EnvEntry[] => [
  ...new Map(entries.map((entry) => [entry.name, entry])).values(),
];

const kilobytes = (bytes: number): string => `${Math.ceil(bytes / 1024)} KiB`;
