/** Finds what a migrated text would still be refused for. */
import type { PlatformRef } from '../../contract/plan';
import { loadEnvironment } from '../environment';
import type { Environment } from '../environment';
import { loadConfig } from '../load';
import { planRun } from '../plan/plan-run';
import { ConfigError } from '../yaml/problems';
import type { ConfigProblem } from '../yaml/problems';
import { parseConfigDocument } from './config-document';

export interface VerificationRequest {
  /** The file's text. */
  readonly text: string;
  /** Its absolute path, which relative names in `defaults` count from. */
  readonly file: string;
  readonly env: Environment;
  readonly cwd: string;
  /** Where a run would be carried out, for the checks that depend on it. */
  readonly platform: PlatformRef;
}

export interface Verification {
  /** Problems of the text itself; those that only follow from unset variables are left out. */
  readonly problems: readonly ConfigProblem[];
  readonly notes: readonly string[];
}

export async function verify(request: VerificationRequest): Promise<Verification> {
  const given = loadEnvironment({ env: request.env, cwd: request.cwd });
  const unset = variablesIn(request.text).filter((name) => !given[name]);
  const all = await problemsOf(request, withStandIns(given, unset));
  const here = all.filter(({ file }) => file === undefined || file === request.file);
  const isMissing = ({ message }: ConfigProblem): boolean => message.includes('`???`');
  const missing = here.filter(isMissing).map(({ path }) => path);
  const dependsOnUnset = dependents(request.text, unset);
  const others = [...new Set(all.flatMap(({ file }) => (file === undefined || file === request.file ? [] : [file])))];
  return {
    problems: here.filter((problem) => !isMissing(problem) && !dependsOnUnset.has(problem.path)),
    notes: [
      ...(missing.length > 0 ? [`still to be set (\`???\`): ${missing.join(', ')}`] : []),
      ...(unset.length > 0 ? [`set these variables before a start: ${unset.join(', ')}`] : []),
      ...others.map((file) => `${file}, which this file includes, has problems of its own: evalsaga migrate ${file}`),
    ],
  };
}

async function problemsOf(
  { text, file, cwd, platform }: VerificationRequest,
  env: Environment,
): Promise<readonly ConfigProblem[]> {
  try {
    const loaded = await loadConfig({ config: file, text, overrides: [], tasks: [], env, cwd });
    planRun(loaded, { invocation: '0'.repeat(16), platform, owner: 'migrate', command: '', cwd });
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

/** Returns the variables of the host to which a text refers. */
function variablesIn(text: string): string[] {
  const found = new Set<string>();
  for (const { path, text: value } of parseConfigDocument(text).scalars()) {
    for (const [, name] of value.matchAll(/\$\{oc\.env:\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}/g)) if (name) found.add(name);
    const host = /^host:([A-Za-z_][A-Za-z0-9_]*)$/.exec(value)?.[1];
    if (host !== undefined) found.add(host);
    if (path[1] === 'env_var_names') found.add(value);
    if (path.at(-1) === 'api_key_name' && path[0] === 'target' && /^[A-Za-z_]\w*$/.test(value)) found.add(value);
  }
  return [...found].sort();
}

/** Stand-ins that fit texts, numbers and names, so that the rest of the config can be checked. */
const withStandIns = (env: Environment, unset: readonly string[]): Environment => ({
  ...env,
  ...Object.fromEntries(unset.map((name) => [name, '1'])),
  NEMO_EVALUATOR_TRUST_PRE_CMD: '1',
  NEMO_EVALUATOR_TRUST_UNLISTED_TASKS: '1',
});

/** Returns the paths of values that are made from unset variables. */
function dependents(text: string, unset: readonly string[]): Set<string> {
  const paths = new Set<string>();
  for (const { path, text: value } of parseConfigDocument(text).scalars())
    if (unset.some((name) => value.includes(`oc.env:${name}`))) paths.add(path.join('.'));
  return paths;
}
