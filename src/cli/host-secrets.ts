import type { Env } from '../temporal/target';
import { UsageError } from './usage-error';

export interface HostSecrets {
  readonly values: Readonly<Record<string, string>>;
  /** Variables that are not set here, or empty. */
  readonly missing: readonly string[];
}

/** Returns the values of the host variables that a plan references. */
export function hostSecretValues(names: readonly string[], env: Env): HostSecrets {
  const given = names.flatMap((name) => (env[name] ? [[name, env[name]] as const] : []));
  return { values: Object.fromEntries(given), missing: names.filter((name) => !env[name]) };
}

/** Throws a `UsageError` that names all variables that are not set. */
export function refuseMissing({ missing }: Pick<HostSecrets, 'missing'>, advice = ''): void {
  if (missing.length === 0) return;
  const [are, them] = missing.length === 1 ? ['a variable that is', 'it'] : ['variables that are', 'them'];
  throw new UsageError(
    `The config references ${are} not set, or empty: ${missing.join(', ')}. Set ${them} in your shell or in a .env file (--env-file).${advice} Nothing was created.`,
  );
}
