/** Variables that tasks can't do without: keys of judges and simulated users, and the hub's token for gated data. */
import { isPlainObject } from '../../support/plain-object';
import type { PlatformRef } from '../../contract/plan';
import type { ResolvedConfig } from '../schema/config';
import { endpointKey, jobVariables } from './plan-job';
import type { ProblemReport } from './problem-report';
import type { ResolvedTask } from './resolve-task';
import { userValue } from './run-config';
import { hasVariable } from './merge-variables';
import type { Variables } from './merge-variables';

/** Any of them says where the data or the token is to come from. */
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

/** Refuses tasks whose variable nothing gives: they would fail when the endpoint has long been paid for. */
export function checkNeededVariables({
  config,
  tasks,
  platform,
  report,
}: {
  config: ResolvedConfig;
  tasks: readonly ResolvedTask[];
  platform: PlatformRef['kind'];
  report: ProblemReport;
}): void {
  const missing = new Map<string, { purpose: string; tasks: ResolvedTask[] }>();
  for (const task of tasks)
    for (const { name, purpose } of missingVariables(config, task, platform)) {
      const known = missing.get(name) ?? { purpose, tasks: [] };
      known.tasks.push(task);
      missing.set(name, known);
    }
  for (const [name, { purpose, tasks: lacking }] of missing) {
    const [first, ...more] = lacking;
    if (first === undefined) continue;
    const others = more.length === 0 ? '' : ` (and so do ${more.length} more tasks)`;
    report.add(
      `evaluation.tasks.${first.index}.name`,
      `\`${first.config.name}\` needs the variable ${name}, ${purpose}${others}; nothing gives it to the job`,
      `evaluation.env_vars: {${name}: host:${name}} takes it from this host, {${name}: {value_from: {secret_name_ref: SECRET}}} from execution.lepton_platform.tasks.env_vars takes it from the workspace${alternativesTo(name)}`,
    );
  }
}

interface NeededVariable {
  readonly name: string;
  readonly purpose: string;
}

const alternativesTo = (name: string): string =>
  name === 'HF_TOKEN'
    ? '; for data that is there already: HF_HOME or HF_HUB_OFFLINE, or `dataset_dir`'
    : '; where it is not needed, set the parameter that names it to null';

function missingVariables(config: ResolvedConfig, task: ResolvedTask, platform: PlatformRef['kind']): NeededVariable[] {
  const variables = jobVariables(config, task);
  const key = endpointKey(config, task, variables)?.name;
  const shell = [config.evaluation.pre_cmd, task.config.pre_cmd].join('\n');
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
  // On this machine the data may come from packages, or with the login of the user whose processes these are.
  const fromHub = gated && platform === 'lepton' && task.config.dataset_dir === null;
  const hub = hubVariables.some((name) => hasVariable(variables, name));
  return fromHub && !hub ? [...keys, { name: 'HF_TOKEN', purpose: 'as its data is gated on the hub' }] : keys;
}

/** Names of variables under `api_key` and `…_api_key`, but in sections that are switched off. */
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
