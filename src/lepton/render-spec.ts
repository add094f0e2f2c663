import { invocationVariable, taskVariable, modelUrlVariable, originVariable } from '../contract/identity';
import type { EndpointSpec, EnvEntry, JobSpec, SecretRef } from '../contract/plan';
import { masked } from '../contract/url-placeholders';
import type { WireEnv } from './types';

/** Returns the value of a variable of the launching host; throws if it is not set. */
export type ResolveHostSecret = (name: string) => string;

/** Ownership of a resource, written into its spec so that it can be found and removed even if everything else is lost. */
export interface Marks {
  readonly invocation: string;
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

/** Renders the deployment spec that is sent. It contains secrets from `resolve`: never log it. */
export function renderDeployment(spec: EndpointSpec, context: RenderContext): Record<string, unknown> {
  const requirement = (spec.body['resource_requirement'] ?? {}) as Record<string, unknown>;
  return {
    ...spec.body,
    container: spec.container,
    resource_requirement: { ...requirement, ...affinity(context.nodeGroupId) },
    envs: renderEnvs(spec.envs, context),
    ...(spec.mounts.length > 0 ? { mounts: spec.mounts } : {}),
    ...(spec.apiTokens.length > 0 ? { api_tokens: spec.apiTokens.map((token) => renderToken(token, context)) } : {}),
  };
}

/** Renders the job spec that is sent. `modelUrl` is the request URL; secrets in it are masked here. Never log the result. */
export function renderJob(
  spec: JobSpec,
  context: RenderContext & { readonly modelUrl: string },
): Record<string, unknown> {
  const envs = [...spec.envs, { name: modelUrlVariable, value: masked(context.modelUrl) }];
  return {
    ...spec.body,
    ...affinity(context.nodeGroupId),
    container: spec.container,
    envs: renderEnvs(envs, context),
    ...(spec.mounts.length > 0 ? { mounts: spec.mounts } : {}),
  };
}

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
  return { invocation, index: Number(value(taskVariable) ?? Number.NaN), origin: value(originVariable) ?? '' };
}

function renderEnvs(entries: readonly EnvEntry[], { marks, resolve }: RenderContext): WireEnv[] {
  const marked: EnvEntry[] = [
    ...entries,
    { name: invocationVariable, value: marks.invocation },
    { name: taskVariable, value: String(marks.index) },
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

function renderToken(token: SecretRef, { resolve }: RenderContext): Record<string, unknown> {
  return token.kind === 'host' ? { value: resolve(token.name) } : { value_from: { token_name_ref: token.name } };
}

function affinity(nodeGroupId: string | null): Record<string, unknown> {
  return nodeGroupId === null ? {} : { affinity: { allowed_dedicated_node_groups: [nodeGroupId] } };
}
