import { endpointsOf } from './endpoint-plans';
import type { EnvEntry, RunPlan, TokenEntry } from './plan';

/** Returns the names of the launching host's variables that a plan refers to, sorted. Pure. */
export function hostSecretsOf(plan: RunPlan): readonly string[] {
  const names = new Set<string>();
  const add = (secret: TokenEntry | null) => {
    if (secret?.kind === 'host') names.add(secret.name);
  };
  const addAll = (envs: readonly EnvEntry[]) => {
    for (const entry of envs) if ('secret' in entry) add(entry.secret);
  };
  for (const { endpoint } of [...endpointsOf(plan), ...(plan.sharedEndpoints ?? [])]) {
    add(endpoint.probe.token);
    if (endpoint.kind !== 'dedicated') continue;
    endpoint.spec.apiTokens.forEach(add);
    addAll(endpoint.spec.envs);
  }
  for (const task of plan.tasks) addAll(task.job.envs);
  for (const { envs } of plan.exports ?? []) addAll(envs);
  return [...names].sort();
}
