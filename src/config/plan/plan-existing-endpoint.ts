/** Plans the use of an existing endpoint (`deployment: none`). */
import type { EndpointPlan, PlatformRef, ProbeSpec, SecretRef } from '../../contract/plan';
import { variablesIn } from '../../contract/url-placeholders';
import type { ResolvedConfig } from '../schema/config';
import { isLoopbackUrl, readExistingUrl, requestUrl } from './existing-url';
import type { ExistingUrl } from './existing-url';
import { secretOf } from './merge-variables';
import { existingEndpointKey } from './endpoint-access';
import { jobVariables } from './plan-job';
import { ownPath, ownSetting } from './own-settings';
import type { Path } from '../yaml/tree';
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
  const [first] = tasks;
  const model = config.target.api_endpoint.model_id ?? commonSetting(request, 'model_id');
  if (model === null)
    report.add(
      'target.api_endpoint.model_id',
      'is required with `deployment: none`',
      'set it to the name under which the endpoint serves the model',
    );
  const own = new Map(tasks.map((task) => [task.index, ownUrl(request, task)]));
  const existing = checkedUrl(request, own);
  if (existing === undefined || first === undefined) return { endpoint: undefined };
  checkRequestKinds(existing, { tasks, own, report });
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

/** Returns a setting of the evaluator's own config if all tasks have the same. */
function commonSetting({ config, tasks }: ExistingEndpointRequest, key: 'url' | 'model_id'): string | null {
  const [first, ...others] = tasks.map((task) => ownSetting(config, task, key));
  return first !== undefined && others.every((value) => value === first) ? first : null;
}

/** Returns and checks the URL that the task's own config names, which its job asks in place of the common one. */
function ownUrl({ config, platform, report }: ExistingEndpointRequest, task: ResolvedTask): UsableUrl | undefined {
  const text = ownSetting(config, task, 'url');
  if (text === undefined) return undefined;
  const inTask: Path = ['evaluation', 'tasks', task.index, ...ownPath, 'url'];
  const isOwn = report.node(inTask) !== undefined;
  if (!isOwn && task.index > 0) return undefinedIfInvalid(readExistingUrl(text));
  return usable(text, isOwn ? inTask.join('.') : ['evaluation', ...ownPath, 'url'].join('.'), { platform, report });
}

const undefinedIfInvalid = (url: ExistingUrl): UsableUrl | undefined => (url.kind === 'invalid' ? undefined : url);

function checkedUrl(
  request: ExistingEndpointRequest,
  own: ReadonlyMap<number, UsableUrl | undefined>,
): UsableUrl | undefined {
  const { config, tasks, platform, report } = request;
  const path = 'target.api_endpoint.url';
  const { url } = config.target.api_endpoint;
  const [first] = tasks;
  const ownOfFirst = first === undefined ? undefined : own.get(first.index);
  // Nobody asks the common URL when every task has its own.
  if (ownOfFirst !== undefined && tasks.every(({ index }) => own.get(index) !== undefined)) return ownOfFirst;
  if (url === null) {
    report.add(
      path,
      'is required with `deployment: none`: it says which endpoint to evaluate',
      'e.g. -o target.api_endpoint.url=https://host/v1',
    );
    return undefined;
  }
  return usable(url, path, { platform, report });
}

/** Reads a URL; reports one that cannot be read, and one that a job cannot reach. */
function usable(
  url: string,
  path: string,
  { platform, report }: Pick<ExistingEndpointRequest, 'platform' | 'report'>,
): UsableUrl | undefined {
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

function checkRequestKinds(
  common: UsableUrl,
  {
    tasks,
    own,
    report,
  }: {
    readonly tasks: readonly ResolvedTask[];
    readonly own: ReadonlyMap<number, UsableUrl | undefined>;
    readonly report: ProblemReport;
  },
): void {
  for (const task of tasks) {
    const asked = own.get(task.index) ?? common;
    if (asked.kind !== 'full' || asked.takes === undefined || task.kind === asked.takes) continue;
    const name = own.get(task.index) === undefined ? 'target.api_endpoint.url' : 'its own URL';
    const needs =
      task.catalogueEntry?.capabilities === undefined ? '' : ` with ${task.catalogueEntry.capabilities.join(', ')}`;
    report.add(
      `evaluation.tasks.${task.index}.name`,
      `needs a ${task.kind} endpoint${needs}, but ${name} takes ${asked.takes} requests`,
      `give the base URL (…/v1), to which each task appends its path, or choose the variant of the task for this kind of endpoint${task.config.container === null ? '' : `; if it takes them in its own image, set endpoint_type: ${asked.takes}`}`,
    );
  }
}

/** Returns the kind of request with which to try the model: one that the tasks make. */
export function warmUpOf(tasks: readonly ResolvedTask[]): ProbeSpec['warmUp'] {
  const kinds = new Set(tasks.map(({ kind }) => kind));
  return kinds.has('completions') ? 'completions' : kinds.has('chat') ? 'chat' : 'none';
}
