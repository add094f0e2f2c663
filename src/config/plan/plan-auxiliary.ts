/** Plans auxiliary deployments: which tasks use them, what they serve, and with which key their jobs ask them. */
import { tokenSecretName } from '../../contract/endpoint-token';
import type { EndpointUse, EnvEntry, SecretRef, SharedEndpointPlan } from '../../contract/plan';
import { variablesIn } from '../../contract/url-placeholders';
import { withReferences } from '../auxiliary-references';
import type { AuxiliaryConfig } from '../schema/auxiliary';
import type { RawValue } from '../schema/leaf';
import {
  auxiliaryOf,
  basePath,
  checkPrefixes,
  finder,
  isUsedBy,
  keyNames,
  prefixIn,
  urlVariable,
  userConfig,
} from './auxiliary';
import type { Auxiliary, AuxiliaryRequest, AuxiliaryUser, Keys } from './auxiliary';
import { fillReferences } from './auxiliary-fill';
import type { Filled } from './auxiliary-fill';
import { hasVariable, secretOf } from './merge-variables';
import { sharedPlan, tokensOf } from './plan-auxiliary-endpoint';
import type { ResolvedTask } from './resolve-task';

/** What a task's job has of the auxiliary deployments. */
export interface TaskAuxiliaries {
  readonly uses: readonly EndpointUse[];
  /** Variables of the job; those that the config sets itself are not among them. */
  readonly entries: readonly EnvEntry[];
  /** Fills in what texts below `evaluation` refer to. */
  readonly inText: (text: string) => string;
  readonly inConfig: (merged: RawValue) => RawValue;
}

const noAuxiliaries: TaskAuxiliaries = {
  uses: [],
  entries: [],
  inText: (text) => text,
  inConfig: (merged) => merged,
};

export interface PlannedAuxiliaries {
  readonly shared: readonly SharedEndpointPlan[];
  readonly of: (task: ResolvedTask) => TaskAuxiliaries;
}

export function planAuxiliaries(request: AuxiliaryRequest): PlannedAuxiliaries {
  const { config, users, report } = request;
  const all = Object.entries(config.auxiliary_deployments).filter(
    ([, { kind, own }]) => kind === 'deployed' || own.url,
  );
  if (all.length === 0) return { shared: [], of: () => noAuxiliaries };
  const used = all.filter(([name, one]) => users.some((user) => isUsedBy(user, name, prefixIn(name, one))));
  const auxiliaries = used.map(([name, one], position) => auxiliaryOf({ name, one, position }, request));
  checkPrefixes(auxiliaries, report);
  const keyed = users.map((user) => ({ user, keys: filledConfig(user, auxiliaries).keys }));
  for (const auxiliary of auxiliaries) auxiliary.tokens = tokensOf(auxiliary, keyed);
  const byTask = new Map(keyed.map(({ user, keys }) => [user.task, ofTask(user, { auxiliaries, keys }, request)]));
  return {
    shared: auxiliaries.map((auxiliary) => sharedPlan(auxiliary, request)),
    of: (task) => byTask.get(task) ?? noAuxiliaries,
  };
}

function fill({ task }: AuxiliaryUser, value: RawValue, auxiliaries: readonly Auxiliary[]): Filled {
  const params = task.config.container === null ? task.catalogueEntry?.params : undefined;
  return fillReferences(value, params && { config: { params } }, finder(auxiliaries));
}

const filledConfig = (user: AuxiliaryUser, auxiliaries: readonly Auxiliary[]): Filled =>
  fill(user, userConfig(user), auxiliaries);

function ofTask(
  user: AuxiliaryUser,
  { auxiliaries, keys }: { readonly auxiliaries: readonly Auxiliary[]; readonly keys: Keys },
  request: AuxiliaryRequest,
): TaskAuxiliaries {
  const used = auxiliaries.filter(({ name, prefix }) => isUsedBy(user, name, prefix));
  const { textFor: lookUp } = finder(auxiliaries);
  return {
    uses: used.map((auxiliary) => ({
      endpoint: auxiliaries.indexOf(auxiliary),
      variables: variablesFor(auxiliary),
    })),
    entries: used.flatMap((auxiliary) => entriesFor(auxiliary, user, { keys, invocation: request.invocation })),
    inText: (text) => withReferences(text, lookUp),
    inConfig: (merged) => fill(user, merged, auxiliaries).value,
  };
}

/** The variables that are set when the job is submitted. */
function variablesFor(auxiliary: Auxiliary): Record<string, string> {
  if (auxiliary.endpointName === null) return {};
  const places = [...auxiliary.places].map(([kind, path]) => [urlVariable(auxiliary, kind), path] as const);
  return Object.fromEntries([...places, [urlVariable(auxiliary, 'base'), basePath]]);
}

/** The variables that are known already. */
function entriesFor(
  auxiliary: Auxiliary,
  { task, variables: given, report }: AuxiliaryUser,
  { keys, invocation }: { readonly keys: Keys; readonly invocation: string },
): EnvEntry[] {
  const { name, prefix, modelId, places, endpointName: deployed, config, tokens } = auxiliary;
  for (const variable of [...Object.keys(variablesFor(auxiliary)), `${prefix}_MODEL_ID`])
    if (hasVariable(given, variable))
      report.addOnce(
        `evaluation.tasks.${task.index}.env_vars`,
        `${variable} is set for auxiliary_deployments.${name}, and by the config as well`,
        `remove it, or set another auxiliary_deployments.${name}.env_prefix`,
      );
  // A URL with a secret part is only in the files of the job.
  const known = deployed === null ? [...places].filter(([, url]) => variablesIn(url).length === 0) : [];
  const [token] = tokens;
  const secret: SecretRef | undefined =
    token?.kind === 'made' ? { kind: 'workspace', name: tokenSecretName(invocation, deployed ?? '') } : token;
  const keyed = keyNames(auxiliary, keys).filter((variable) => secretOf(given, variable) === undefined);
  return [
    { name: `${prefix}_MODEL_ID`, value: modelId },
    ...known.map(([kind, value]) => ({ name: urlVariable(auxiliary, kind), value })),
    ...keyed.map((variable) => ({
      name: variable,
      secret: secret ?? ({ kind: 'host', name: keyOfExisting(config) ?? variable } as const),
    })),
  ];
}

const keyOfExisting = (config: AuxiliaryConfig): string | null =>
  config.kind === 'existing' ? config.own.api_key_name : null;
