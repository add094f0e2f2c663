import { endpointsOf } from '../contract/endpoint-plans';
import { hostSecretsOf } from '../contract/host-secrets';
import type { EnvEntry, RunPlan } from '../contract/plan';
import type { WireEnv } from '../lepton/types';
import { looksRandom } from '../secrets/secrecy';
import { secretsOfEnv, secretsOfReferences } from '../secrets/secret-values';

/** The part of an endpoint's or job's spec, as the platform returns it, that may hold secrets. */
export interface WireSpec {
  readonly envs?: readonly WireEnv[] | undefined;
  readonly [key: string]: unknown;
}

/** Returns the part of a spec that `secretsInSpec` reads: a whole spec, with its scripts, takes too much memory. Pure. */
export const partWithSecrets = ({ envs, api_tokens: tokens }: WireSpec): WireSpec => ({ envs, api_tokens: tokens });

/**
 * Returns the run's secrets from a spec on the platform, this host's only source for another home's run. `plan` says which
 * variables hold secrets; without it, every value that may be a secret counts as one. Pure.
 */
export function secretsInSpec(spec: WireSpec, plan: RunPlan | undefined): string[] {
  const given = variablesOf(spec);
  const references = plan ? referencesAmong(given, plan) : withoutPaths(given);
  return [...secretsOfEnv(given), ...secretsOfReferences(references), ...tokensOf(spec)];
}

/**
 * Returns the secrets to mask in fetched files, where a masked value is lost. Without a plan, these are only values that are
 * secrets by their variable's name or their own form, since a model's name is the value of a variable as well. Pure.
 */
export function secretsForFiles(spec: WireSpec, plan: RunPlan | undefined): string[] {
  if (plan) return secretsInSpec(spec, plan);
  const given = variablesOf(spec);
  const random = Object.values(given).filter((value = '') => looksRandom(value));
  return [...secretsOfEnv(given), ...random.flatMap((value) => value ?? []), ...tokensOf(spec)];
}

const variablesOf = ({ envs = [] }: WireSpec): Values =>
  Object.fromEntries(envs.filter(({ name }) => !isOwnVariable(name)).map(({ name, value }) => [name, value]));

const tokensOf = (spec: WireSpec): string[] =>
  ((spec['api_tokens'] ?? []) as readonly { readonly value?: string }[]).flatMap(({ value }) => value ?? []);

/** Whether evalsaga sets the variable itself: names and addresses. The secret parts of URLs come from the user. */
const isOwnVariable = (name: string): boolean => /^EVALSAGA_(?!URL_SECRET_)/.test(name);

type Values = Readonly<Record<string, string | undefined>>;

function referencesAmong(given: Values, plan: RunPlan): Values {
  const entries: readonly EnvEntry[] = [
    ...endpointsOf(plan).flatMap(({ endpoint }) => (endpoint.kind === 'dedicated' ? endpoint.spec.envs : [])),
    ...plan.tasks.flatMap(({ job }) => job.envs),
  ];
  const names = new Set([
    ...hostSecretsOf(plan),
    ...entries.filter((entry) => 'secret' in entry).map(({ name }) => name),
  ]);
  return Object.fromEntries(Object.entries(given).filter(([name]) => names.has(name)));
}

const withoutPaths = (given: Values): Values =>
  Object.fromEntries(Object.entries(given).filter(([, value = '']) => !value.startsWith('/')));
