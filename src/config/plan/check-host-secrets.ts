/** Variables of the launching host that a plan refers to. */
import { hostSecretsOf } from '../../contract/host-secrets';
import type { RunPlan } from '../../contract/plan';
import { isUrlSecretVariable } from '../../contract/url-placeholders';
import type { Environment } from '../environment';
import { urlSecretNames } from '../check/secret-urls';
import { scalarsOf } from '../yaml/tree';
import type { ProblemReport } from './problem-report';

/** Their names, sorted; one that is not set, or empty, is a problem: the run would fail when it asks for it. */
export function checkHostSecrets(plan: RunPlan, env: Environment, report: ProblemReport): readonly string[] {
  const names = hostSecretsOf(plan);
  for (const name of names) {
    if (isUrlSecretVariable(name)) continue;
    const value = Object.hasOwn(env, name) ? env[name] : undefined;
    if (value !== undefined && value !== '') continue;
    const reason = value === undefined ? 'is not set' : 'is empty';
    report.add(
      placeOf(name, report),
      `the environment variable ${name} ${reason}`,
      `set it, or put it into .env; a secret of the workspace is named with {value_from: {secret_name_ref: NAME}}`,
    );
  }
  // What more is masked wherever it turns up, and goes nowhere.
  return [...new Set([...names, ...urlSecretNames(env)])].sort();
}

/** Where the config refers to the variable. */
function placeOf(name: string, report: ProblemReport): string {
  for (const { path, node } of scalarsOf(report.root)) {
    const refers = node.value === `host:${name}` || node.env?.names.includes(name) === true;
    const names = node.value === name && (path.includes('api_key_name') || path.includes('env_var_names'));
    if (refers || names) return path.join('.');
  }
  return '';
}
