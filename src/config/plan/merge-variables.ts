/** Merges the maps of container variables of a config. Pure. */
import type { EnvEntry, SecretRef } from '../../contract/plan';
import type { EnvSource, EnvSources } from '../schema/variables';

export interface Variables {
  readonly entries: readonly EnvEntry[];
  /** Variables that copy another variable inside the container (`runtime:NAME`). */
  readonly runtime: readonly { readonly name: string; readonly from: string }[];
}

/** Merges maps; later ones win. */
export function mergeVariables(maps: readonly EnvSources[]): Variables {
  const merged = new Map<string, EnvSource>();
  for (const map of maps) for (const [name, source] of Object.entries(map)) merged.set(name, source);
  const entries: EnvEntry[] = [];
  const runtime: { name: string; from: string }[] = [];
  for (const [name, source] of merged) {
    if (source.kind === 'literal') entries.push({ name, value: source.value });
    else if (source.kind === 'secret') entries.push({ name, secret: source.secret });
    else if (source.name !== name) runtime.push({ name, from: source.name });
  }
  return { entries, runtime };
}

/** Returns the secret to which a variable refers; `undefined` if it is none. */
export const secretOf = (variables: Variables, name: string): SecretRef | undefined => {
  const entry = variables.entries.find((candidate) => candidate.name === name);
  return entry !== undefined && 'secret' in entry ? entry.secret : undefined;
};

export const hasVariable = (variables: Variables, name: string): boolean =>
  variables.entries.some((entry) => entry.name === name) || variables.runtime.some((entry) => entry.name === name);
