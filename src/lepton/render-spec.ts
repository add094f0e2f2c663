import {
  indexIn,
  indexText,
  invocationVariable,
  modelUrlVariable,
  originVariable,
  taskVariable,
  tokenDigestVariable,
} from '../contract/identity';
import { answeredVariable } from '../contract/last-request';
import type { EndpointSpec, EnvEntry, JobSpec, TokenEntry } from '../contract/plan';
import { withSharedUrls } from '../contract/shared-urls';
import { masked } from '../contract/url-placeholders';
import type { WireEnv } from './types';

/** Returns the value of a variable of the launching host; throws if it is not set. */
export type ResolveHostSecret = (name: string) => string;

/** Ownership of a resource, written into its spec so that it can be found and removed even if everything else is lost. */
export interface Marks {
  readonly invocation: string;
  /** As an owner's (contract/inputs.ts). */
  readonly index: number;
  /** The Temporal installation that owns the run. A sweep touches only resources of its own. */
  readonly origin: string;
}

interface RenderContext {
  readonly marks: Marks;
  /** Id of the node group (a name in the config is resolved already); `null`: any. */
  readonly nodeGroupId: string | null;
  readonly resolve: ResolveHostSecret;
}

/** The token that evalsaga makes for an endpoint, by reference. */
export interface MadeToken {
  /** Name of the workspace's secret that holds it. */
  readonly secret: string;
  /** See `tokenDigestVariable`; `null`: nobody has made it yet. */
  readonly digest: string | null;
}

interface DeploymentContext extends RenderContext {
  /** Required by a spec with a `made` token. */
  readonly made?: MadeToken;
}

/** Renders the deployment spec that is sent. It contains secrets from `resolve`: never log it. */
export function renderDeployment(spec: EndpointSpec, context: DeploymentContext): Record<string, unknown> {
  const digest = spec.apiTokens.some(({ kind }) => kind === 'made') ? (context.made?.digest ?? null) : null;
  const envs = digest === null ? spec.envs : [...spec.envs, { name: tokenDigestVariable, value: digest }];
  const requirement = (spec.body['resource_requirement'] ?? {}) as Record<string, unknown>;
  return {
    ...spec.body,
    container: spec.container,
    resource_requirement: { ...requirement, ...affinity(spec, context) },
    envs: renderEnvs(envs, context),
    ...(spec.mounts.length > 0 ? { mounts: spec.mounts } : {}),
    ...(spec.apiTokens.length > 0 ? { api_tokens: spec.apiTokens.map((token) => renderToken(token, context)) } : {}),
  };
}

/** Renders the job spec that is sent. `modelUrl` is the request URL; secrets in it are masked here. Never log the result. */
export function renderJob(
  spec: JobSpec,
  context: RenderContext & {
    readonly modelUrl: string;
    readonly sharedUrls?: Readonly<Record<string, string>>;
    /** Of the job's mark (contract/last-request.ts): a new one for each job. */
    readonly nonce?: string;
  },
): Record<string, unknown> {
  const { modelUrl, sharedUrls = {}, nonce } = context;
  const envs = [
    ...Object.entries(sharedUrls).map(([name, value]) => ({ name, value })),
    ...spec.envs.map((entry) =>
      'value' in entry ? { ...entry, value: withSharedUrls(entry.value, sharedUrls) } : entry,
    ),
    { name: modelUrlVariable, value: masked(modelUrl) },
    ...(spec.tellsLastRequest && nonce !== undefined ? [{ name: answeredVariable, value: nonce }] : []),
  ];
  return {
    ...spec.body,
    ...affinity(spec, context),
    container: spec.container,
    envs: renderEnvs(envs, context),
    ...(spec.mounts.length > 0 ? { mounts: spec.mounts } : {}),
  };
}

/** Returns the digest of the endpoint's made token; `undefined` if it has none. */
export const tokenDigestOf = (envs: readonly WireEnv[] | undefined): string | undefined =>
  envs?.find(({ name }) => name === tokenDigestVariable)?.value;

/** Whether a resource has the marks of this run's task. */
export function isMarkedWith(
  envs: readonly WireEnv[] | undefined,
  marks: Pick<Marks, 'invocation' | 'index'>,
): boolean {
  const found = marksOf(envs);
  return found?.invocation === marks.invocation && found.index === marks.index;
}

/** Returns the marks in a resource's variables; `undefined` if it was not created by evalsaga. */
export function marksOf(envs: readonly WireEnv[] | undefined): Marks | undefined {
  const value = (name: string) => envs?.find((entry) => entry.name === name)?.value;
  const invocation = value(invocationVariable);
  if (invocation === undefined || !/^[0-9a-f]{16}$/.test(invocation)) return undefined;
  return { invocation, index: indexIn(value(taskVariable) ?? ''), origin: value(originVariable) ?? '' };
}

function renderEnvs(entries: readonly EnvEntry[], { marks, resolve }: RenderContext): WireEnv[] {
  const marked: EnvEntry[] = [
    ...entries,
    { name: invocationVariable, value: marks.invocation },
    { name: taskVariable, value: indexText(marks.index) },
    { name: originVariable, value: marks.origin },
  ];
  // Keep the last entry of each name: what the platform does with duplicates is not documented.
  const byName = new Map(marked.map((entry) => [entry.name, entry]));
  return [...byName.values()].map((entry) => {
    if ('value' in entry) return { name: entry.name, value: entry.value };
    return entry.secret.kind === 'host'
      ? { name: entry.name, value: resolve(entry.secret.name) }
      : { name: entry.name, value_from: { secret_name_ref: entry.secret.name } };
  });
}

function renderToken(token: TokenEntry, { resolve, made }: DeploymentContext): Record<string, unknown> {
  switch (token.kind) {
    case 'host':
      return { value: resolve(token.name) };
    case 'workspace':
      return { value_from: { token_name_ref: token.name } };
    case 'made':
      if (made === undefined) throw new Error('no token was made for this endpoint');
      return { value_from: { token_name_ref: made.secret } };
  }
}

function affinity(
  { allowedNodes = [] }: Pick<JobSpec, 'allowedNodes'>,
  { nodeGroupId }: Pick<RenderContext, 'nodeGroupId'>,
): Record<string, unknown> {
  if (nodeGroupId === null) return {};
  const nodes = allowedNodes.length === 0 ? {} : { allowed_nodes_in_node_group: allowedNodes };
  return { affinity: { allowed_dedicated_node_groups: [nodeGroupId], ...nodes } };
}
