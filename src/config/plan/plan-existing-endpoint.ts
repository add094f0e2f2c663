/** Plans the use of an existing endpoint (`deployment: none`). */
import type { EndpointPlan, PlatformRef, ProbeSpec, SecretRef } from '../../contract/plan';
import { variablesIn } from '../../contract/url-placeholders';
import type { ResolvedConfig } from '../schema/config';
import { isLoopbackUrl, readExistingUrl, requestUrl } from './existing-url';
import type { ExistingUrl } from './existing-url';
import { secretOf } from './merge-variables';
import { existingEndpointKey } from './endpoint-access';
import { jobVariables } from './plan-job';
import type { ProblemReport } from './problem-report';
import type { ResolvedTask } from './resolve-task';

export interface ExistingEndpointRequest {
  readonly config: ResolvedConfig;
  readonly platform: PlatformRef;
  readonly tasks: readonly ResolvedTask[];
  readonly report: ProblemReport;
}

export interface PlannedEndpoint {
  /** `undefined` after a problem. */
  readonly endpoint: EndpointPlan | undefined;
  /** By task index: the request URLs of tasks that do not use the endpoint's common one. */
  readonly urls?: ReadonlyMap<number, string>;
}

type UsableUrl = Exclude<ExistingUrl, { kind: 'invalid' }>;

/** Plans the endpoint; problems are added to `report`. */
export function existingEndpoint(request: ExistingEndpointRequest): PlannedEndpoint {
  const { config, tasks, report } = request;
  const model = config.target.api_endpoint.model_id;
  if (model === null)
    report.add(
      'target.api_endpoint.model_id',
      'is required with `deployment: none`',
      'set it to the name under which the endpoint serves the model',
    );
  const existing = checkedUrl(request);
  const [first] = tasks;
  if (existing === undefined || first === undefined) return { endpoint: undefined };
  checkRequestKinds(existing, tasks, report);
  const common = requestUrl(existing, first.kind);
  // A URL with a secret is completed in the job: the secret must not be in the spec's own variables either.
  const isSecret = variablesIn(common).length > 0;
  const urls = new Map(
    tasks
      .filter((task) => isSecret || requestUrl(existing, task.kind) !== common)
      .map((task) => [task.index, requestUrl(existing, task.kind)]),
  );
  const probe = {
    servedModel: model ?? '',
    healthPath: null,
    warmUp: warmUpOf(tasks),
    token: tokenFor(config, first, common, report),
  };
  return { endpoint: { kind: 'existing', url: common, probe }, urls };
}

function checkedUrl({ config, platform, report }: ExistingEndpointRequest): UsableUrl | undefined {
  const path = 'target.api_endpoint.url';
  const { url } = config.target.api_endpoint;
  if (url === null) {
    report.add(
      path,
      'is required with `deployment: none`: it says which endpoint to evaluate',
      'e.g. -o target.api_endpoint.url=https://host/v1',
    );
    return undefined;
  }
  const existing = readExistingUrl(url);
  if (existing.kind === 'invalid') {
    report.add(path, existing.message, existing.hint);
    return undefined;
  }
  if (platform.kind === 'lepton' && isLoopbackUrl(existing.url) && !isLoopbackUrl(platform.url))
    report.add(
      path,
      `${new URL(existing.url).host} is this machine, which a job on Lepton cannot reach`,
      'give an address that the workspace can reach, or run on this machine: --platform local',
    );
  return existing;
}

function tokenFor(config: ResolvedConfig, task: ResolvedTask, url: string, report: ProblemReport): SecretRef | null {
  const variables = jobVariables(config, task);
  const key = existingEndpointKey(config, { task, variables });
  if (key !== undefined && new URL(url).username !== '')
    report.add(
      'target.api_endpoint.url',
      `the URL contains a user, and ${key.name} holds a key, but a request can carry only one of them`,
      'remove the user and password from the URL, or the key from the config (target.api_endpoint.api_key_name)',
    );
  return key === undefined ? null : (secretOf(variables, key.name) ?? key.secret);
}

function checkRequestKinds(existing: UsableUrl, tasks: readonly ResolvedTask[], report: ProblemReport): void {
  if (existing.kind !== 'full' || existing.takes === undefined) return;
  for (const task of tasks) {
    if (task.kind === existing.takes) continue;
    const needs =
      task.catalogueEntry?.capabilities === undefined ? '' : ` with ${task.catalogueEntry.capabilities.join(', ')}`;
    report.add(
      `evaluation.tasks.${task.index}.name`,
      `needs a ${task.kind} endpoint${needs}, but target.api_endpoint.url takes ${existing.takes} requests`,
      'give the base URL (…/v1), to which each task appends its path, or choose the variant of the task for this kind of endpoint',
    );
  }
}

/** Returns the kind of request with which to try the model: one that the tasks make. */
export function warmUpOf(tasks: readonly ResolvedTask[]): ProbeSpec['warmUp'] {
  const kinds = new Set(tasks.map(({ kind }) => kind));
  return kinds.has('completions') ? 'completions' : kinds.has('chat') ? 'chat' : 'none';
}
