/** Decides what callers of an endpoint must present, and which key its jobs send. */
import { tokenSecretName } from '../../contract/endpoint-token';
import type { SecretRef, TokenEntry } from '../../contract/plan';
import type { Environment } from '../environment';
import type { ResolvedConfig } from '../schema/config';
import type { DedicatedDeployment, LeptonConfig } from '../schema/deployment';
import { secretOf, type Variables } from './merge-variables';
import type { ProblemReport } from './problem-report';
import type { ResolvedTask } from './resolve-task';
import { userText } from './run-config';

/** The variable with the endpoint's key, if the config does not name one. */
const defaultKeyVariable = 'EVALSAGA_API_KEY';

/** The key that a job sends, and the variable in which it finds it. */
export interface JobKey {
  readonly name: string;
  readonly secret: SecretRef;
}

export interface TaskOfEndpoint {
  readonly task: ResolvedTask;
  /** The job's variables. */
  readonly variables: Variables;
}

/** How a dedicated endpoint is called. */
export interface EndpointAccess {
  readonly invocation: string;
  /** The endpoint's name. */
  readonly endpoint: string;
  readonly tokens: readonly TokenEntry[];
}

/**
 * Returns the tokens of a dedicated endpoint: the config's own; else the keys that the jobs send; else one that is made for it.
 * None only if the config asks for an open endpoint.
 */
export function endpointTokens({
  config,
  deployment,
  env,
  tasks,
  report,
}: {
  readonly config: ResolvedConfig;
  readonly deployment: DedicatedDeployment;
  readonly env: Environment;
  readonly tasks: readonly TaskOfEndpoint[];
  readonly report: ProblemReport;
}): readonly TokenEntry[] {
  const { lepton_config: lepton } = deployment;
  const own = tokensOf(lepton);
  if (lepton.allow_unauthenticated_access && own.length > 0)
    report.add(
      'deployment.lepton_config.allow_unauthenticated_access',
      'leaves the endpoint open, but `api_tokens` says what callers must present',
      'remove one of the two',
    );
  if (own.length > 0 || lepton.allow_unauthenticated_access) return own;
  const named = tasks.flatMap((of) => keySentBy(config, of) ?? keyOfHost(config, of, env) ?? []);
  const distinct = [...new Map(named.map((secret) => [`${secret.kind} ${secret.name}`, secret])).values()];
  return distinct.length > 0 ? distinct : [{ kind: 'made' }];
}

const tokensOf = (lepton: LeptonConfig): readonly SecretRef[] => [
  ...(lepton.api_token === null ? [] : [lepton.api_token]),
  ...lepton.api_tokens,
];

/** Returns the key that a job sends to its endpoint; `undefined` if it sends none. */
export function endpointKey(config: ResolvedConfig, of: TaskOfEndpoint, access: EndpointAccess): JobKey | undefined {
  const name = keyVariable(config, of.task);
  const [first] = access.tokens;
  const secret: SecretRef | undefined =
    first?.kind === 'made'
      ? { kind: 'workspace', name: tokenSecretName(access.invocation, access.endpoint) }
      : (keySentBy(config, of) ?? first);
  if (secret !== undefined) return { name: name ?? defaultKeyVariable, secret };
  return name === undefined ? undefined : { name, secret: { kind: 'host', name } };
}

/** Returns the same for an existing endpoint. */
export function existingEndpointKey(config: ResolvedConfig, of: TaskOfEndpoint): JobKey | undefined {
  const name = keyVariable(config, of.task);
  const secret = keySentBy(config, of) ?? (name === undefined ? undefined : ({ kind: 'host', name } as const));
  return secret === undefined ? undefined : { name: name ?? defaultKeyVariable, secret };
}

/** Returns the key that the config gives to a job; `undefined`: it gives none. */
function keySentBy(config: ResolvedConfig, { task, variables }: TaskOfEndpoint): SecretRef | undefined {
  const name = keyVariable(config, task);
  const from = variables.runtime.find((copied) => copied.name === name)?.from ?? name;
  const given = from === undefined ? undefined : secretOf(variables, from);
  return given ?? config.execution.lepton_platform.tasks.api_tokens[0];
}

/** Returns the variable that the config names for the key, of the task or of all. */
const keyVariable = (config: ResolvedConfig, task: ResolvedTask): string | undefined =>
  userText(config.evaluation.nemo_evaluator_config, task.config.nemo_evaluator_config, [
    'target',
    'api_endpoint',
    'api_key_name',
  ]) ??
  config.target.api_endpoint.api_key_name ??
  undefined;

/** A shorter value, such as EMPTY, stands for a key where a client insists on one. */
const shortestKey = 8;

/** Returns the named key if this host has it: the model server itself may ask for it, and other parts of the task may use it. */
export function keyOfHost(
  config: ResolvedConfig,
  { task }: Pick<TaskOfEndpoint, 'task'>,
  env: Environment,
): (SecretRef & { readonly kind: 'host' }) | undefined {
  const name = keyVariable(config, task);
  const value = name !== undefined && Object.hasOwn(env, name) ? env[name] : undefined;
  return name === undefined || (value ?? '').length < shortestKey ? undefined : { kind: 'host', name };
}
