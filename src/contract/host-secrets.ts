import type { EnvEntry, RunPlan, TokenEntry } from './plan';

/** Returns the names of the launching host's variables that a plan refers to, sorted. Pure. */
export function hostSecretsOf({ endpoint, tasks }: RunPlan): readonly string[] {
  const names = new Set<string>();
  const add = (secret: TokenEntry | null) => {
    if (secret?.kind === 'host') names.add(secret.name);
  };
  const addAll = (envs: readonly EnvEntry[]) => {
    for (const entry of envs) if ('secret' in entry) add(entry.secret);
  };
  add(endpoint.probe.token);
  if (endpoint.kind === 'dedicated') {
    endpoint.spec.apiTokens.forEach(add);
    addAll(endpoint.spec.envs);
  }
  for (const task of tasks) addAll(task.job.envs);
  return [...names].sort();
}
