import { looksLikeToken } from './secrecy';
import { isUrlSecretVariable } from '../contract/url-placeholders';
import { secretsInUrl } from './secret-url';
import { isSecretName } from './names';
import type { HomePaths } from '../home/paths';
import { allStoredSecrets, storedSecrets } from '../home/run-store';

/** Which values must not be said or saved: what is masked everywhere. Real secrets only, as masking words garbles texts. */

type Values = Readonly<Record<string, string | undefined>>;

/** Of an environment, where a secret is told by the variable's name or by the value's look. Pure. */
export const secretsOfEnv = (env: Values): string[] =>
  Object.entries(env).flatMap(([name, value = '']) =>
    isSecretName(name) || isUrlSecretVariable(name) || isLogin(value) || looksLikeToken(value) ? [value] : [],
  );

/** Of variables that a run refers to as secrets: all of them, but for what is evidently none. Pure. */
export const secretsOfReferences = (values: Values): string[] =>
  Object.entries(values).flatMap(([name, value = '']) => (isOrdinary(value) && !isSecretName(name) ? [] : [value]));

/** A number, or words: a mode, a model, a place. */
const isOrdinary = (value: string): boolean =>
  /^[+-]?[\d._]+$/.test(value) || /^[A-Za-z]{1,15}(?:[-_./ ][A-Za-z]{1,15})*$/.test(value);

/** A URL with a user and password, such as a proxy's. */
const isLogin = (value: string): boolean => value.includes('://') && secretsInUrl(value).length > 0;

/**
 * Returns what to mask in the files and messages of a run: its variables, those of this process, and the platform's token.
 * `invocation: undefined`: of all runs that this home keeps variables of, for what is said about several at once.
 */
export async function secretsOfRun(
  home: Pick<HomePaths, 'secrets'>,
  run: { readonly invocation: string | undefined; readonly env: Values; readonly token: string | undefined },
): Promise<readonly string[]> {
  const { invocation, env, token } = run;
  const stored = invocation === undefined ? await allStoredSecrets(home) : [await storedSecrets(home, invocation)];
  return [...stored.flatMap(secretsOfReferences), ...secretsOfEnv(env), ...(token === undefined ? [] : [token])];
}

/** Returns the values that a process with this environment has for the variables, as far as they are secrets. Pure. */
export const secretsNamed = (names: readonly string[], env: Values): string[] =>
  secretsOfReferences(Object.fromEntries(names.map((name) => [name, env[name]])));
