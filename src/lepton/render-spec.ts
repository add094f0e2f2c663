import { invocationVariable, taskVariable, modelUrlVariable, originVariable } from '../contract/identity';
import type { EndpointSpec, EnvEntry, JobSpec, SecretRef } from '../contract/plan';
import { masked } from '../contract/url-placeholders';
import type { WireEnv } from './types';

/** Turns a reference to a variable of the launching host into its value; throws when it is not set. */
export type ResolveHostSecret = (name: string) => string;

/** Who a resource belongs to: written into its spec, so that it can be found and removed when all else is lost. */
export interface Marks {
  readonly invocation: string;
  readonly index: number;
  /** Which Temporal installation owns the run; a sweeper touches only its own. */
  readonly origin: string;
}

interface RenderContext {
  readonly marks: Marks;
  /** Id of the node group, already resolved from what the user wrote; `null`: any. */
  readonly nodeGroupId: string | null;
  readonly resolve: ResolveHostSecret;
}

/** The deployment spec as it goes over the wire. Pure but for `resolve`, which yields secrets: never log the result. */
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

/** The job spec as it goes over the wire, pointed at `modelUrl` (full request URL; of one with a secret, only what may be seen). */
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

/** Whether a resource carries the marks of this run's task. */
export function isMarkedWith(
  envs: readonly WireEnv[] | undefined,
  marks: Pick<Marks, 'invocation' | 'index'>,
): boolean {
  const found = marksOf(envs);
  return found?.invocation === marks.invocation && found.index === marks.index;
}

/** The marks in a resource's variables; `undefined` when it is not ours. */
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
  // A later entry of the same name replaces an earlier one: the platform's reading of duplicates is not documented.
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
