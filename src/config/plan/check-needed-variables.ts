/** Checks that tasks get the variables they need: keys of judge and user models, and the hub's token for gated data. */
import { isPlainObject } from '../../support/plain-object';
import type { PlatformRef } from '../../contract/plan';
import type { ResolvedConfig } from '../schema/config';
import type { Environment } from '../environment';
import { existingEndpointKey, keyOfHost } from './endpoint-access';
import { jobVariables } from './plan-job';
import type { ProblemReport } from './problem-report';
import type { ResolvedTask } from './resolve-task';
import { userValue } from './run-config';
import { hasVariable } from './merge-variables';
import type { Variables } from './merge-variables';

/** If any of these is set, the task knows where to get its data or token. */
const hubVariables = [
  'HF_TOKEN',
  'HUGGING_FACE_HUB_TOKEN',
  'HF_TOKEN_PATH',
  'HF_HOME',
  'HF_DATASETS_CACHE',
  'HF_HUB_CACHE',
  'HF_HUB_OFFLINE',
  'HF_DATASETS_OFFLINE',
  'HF_ENDPOINT',
];

/** Reports tasks with a missing variable: they would fail only after the endpoint has been paid for. */
export function checkNeededVariables({
  config,
  tasks,
  env,
  platform,
  provided,
  report,
}: {
  config: ResolvedConfig;
  tasks: readonly ResolvedTask[];
  env: Environment;
  platform: PlatformRef['kind'];
  /** Names of the variables that the run itself gives to a task's job. */
  provided: (task: ResolvedTask) => readonly string[];
  report: ProblemReport;
}): void {
  const missing = new Map<string, { purpose: string; tasks: ResolvedTask[] }>();
  for (const task of tasks)
    for (const { name, purpose } of missingVariables({ config, task, env, platform })) {
      if (provided(task).includes(name)) continue;
      const known = missing.get(name) ?? { purpose, tasks: [] };
      known.tasks.push(task);
      missing.set(name, known);
    }
  for (const [name, { purpose, tasks: lacking }] of missing) {
    const [first, ...more] = lacking;
    if (first === undefined) continue;
    const others = more.length === 0 ? '' : ` (as do ${more.length} more tasks)`;
    report.add(
      `evaluation.tasks.${first.index}.name`,
      `\`${first.config.name}\` needs the variable ${name}${others}, ${purpose}, but the job does not get it`,
      `set it from this host, evaluation.env_vars: {${name}: host:${name}}, or from the workspace, execution.lepton_platform.tasks.env_vars: {${name}: {value_from: {secret_name_ref: SECRET}}}${alternativesTo(name)}`,
    );
  }
}

interface NeededVariable {
  readonly name: string;
  readonly purpose: string;
}

const alternativesTo = (name: string): string =>
  name === 'HF_TOKEN'
    ? '. If the data is available already, set HF_HOME, HF_HUB_OFFLINE or `dataset_dir`'
    : '. If it is not needed, set the parameter that names it to null';

function missingVariables({
  config,
  task,
  env,
  platform,
}: {
  config: ResolvedConfig;
  task: ResolvedTask;
  env: Environment;
  platform: PlatformRef['kind'];
}): NeededVariable[] {
  const variables = jobVariables(config, task);
  // A token that is made for the run's own endpoint opens nothing else.
  const key =
    config.deployment.type === 'none'
      ? existingEndpointKey(config, { task, variables })?.name
      : keyOfHost(config, { task }, env)?.name;
  const own = task.config.pre_cmd?.trim() ?? '';
  const shell = own === '' ? (config.evaluation.pre_cmd ?? '') : own;
  return neededBy(config, task, platform, variables).filter(
    ({ name }) => name !== key && !hasVariable(variables, name) && !shell.includes(name),
  );
}

function neededBy(
  config: ResolvedConfig,
  task: ResolvedTask,
  platform: PlatformRef['kind'],
  variables: Variables,
): NeededVariable[] {
  const ownImage = task.config.container !== null;
  const defaults = ownImage ? undefined : task.catalogueEntry?.params?.['extra'];
  const { evaluation } = config;
  const given = userValue(evaluation.nemo_evaluator_config, task.config.nemo_evaluator_config, [
    'config',
    'params',
    'extra',
  ]);
  const keys = apiKeyVariablesIn(merged(defaults, given)).map((name): NeededVariable => ({
    name,
    purpose: 'the key of its judge or user model',
  }));
  const gated = !ownImage && task.catalogueEntry?.variables?.includes('HF_TOKEN') === true;
  // On this machine the data may come from packages, or be read with the user's own login.
  const fromHub = gated && platform === 'lepton' && task.config.dataset_dir === null;
  const hub = hubVariables.some((name) => hasVariable(variables, name));
  return fromHub && !hub ? [...keys, { name: 'HF_TOKEN', purpose: 'since its data is gated on the hub' }] : keys;
}

/** Returns the names of variables under `api_key` and `…_api_key`, except in sections with `enabled: false`. */
function apiKeyVariablesIn(value: unknown): string[] {
  if (!isPlainObject(value) || value['enabled'] === false) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    if (typeof inner !== 'string') return apiKeyVariablesIn(inner);
    return /(?:^|_)api_key$/.test(key) && /^[A-Z][A-Z0-9_]{3,}$/.test(inner) ? [inner] : [];
  });
}

function merged(base: unknown, over: unknown): unknown {
  if (over === undefined) return base;
  if (!isPlainObject(base) || !isPlainObject(over)) return over;
  const keys = new Set([...Object.keys(base), ...Object.keys(over)]);
  return Object.fromEntries(
    [...keys].map((key) => [key, Object.hasOwn(over, key) ? merged(base[key], over[key]) : base[key]]),
  );
}
