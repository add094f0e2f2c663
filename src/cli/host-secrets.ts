import type { Env } from '../temporal/target';
import { UsageError } from './usage-error';

/** Returns the values of the host variables that a plan references. Throws a `UsageError` that names all that are not set. */
export function hostSecretValues(names: readonly string[], env: Env): Record<string, string> {
  const missing = names.filter((name) => !env[name]);
  if (missing.length > 0) {
    throw new UsageError(
      `The config references ${missing.length === 1 ? 'a variable that is' : 'variables that are'} not set, or empty: ${missing.join(', ')}. Set ${missing.length === 1 ? 'it' : 'them'} in your shell or in a .env file (--env-file). Nothing was created.`,
    );
  }
  return Object.fromEntries(names.map((name) => [name, env[name] ?? '']));
}
