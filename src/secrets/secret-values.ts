import { looksLikeToken } from './secrecy';
import { isUrlSecretVariable } from '../contract/url-placeholders';
import { secretsInUrl } from './secret-url';
import { isSecretName } from './names';
import type { HomePaths } from '../home/paths';
import { allStoredSecrets, storedSecrets } from '../home/run-store';

/** Which values are masked everywhere. Only real secrets, since masking common words garbles texts. */

type Values = Readonly<Record<string, string | undefined>>;

/** Returns the secrets in an environment, recognized by the variable's name or by the form of the value. Pure. */
export const secretsOfEnv = (env: Values): string[] =>
  Object.entries(env).flatMap(([name, value = '']) =>
    isSecretName(name) || isUrlSecretVariable(name) || isLogin(value) || looksLikeToken(value) ? [value] : [],
  );

/** Returns the values of variables that a run refers to as secrets, except those that evidently are none. Pure. */
export const secretsOfReferences = (values: Values): string[] =>
  Object.entries(values).flatMap(([name, value = '']) => (isOrdinary(value) && !isSecretName(name) ? [] : [value]));

/** Whether the value is a number or plain words, such as a mode or a model. */
const isOrdinary = (value: string): boolean =>
  /^[+-]?[\d._]+$/.test(value) || /^[A-Za-z]{1,15}(?:[-_./ ][A-Za-z]{1,15})*$/.test(value);

/** Whether the value is a URL with user and password, such as a proxy's. */
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
