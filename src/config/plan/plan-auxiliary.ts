/** Plans auxiliary deployments: which tasks use them, what they serve, and with which key their jobs ask them. */
import { tokenSecretName } from '../../contract/endpoint-token';
import { indexText, sharedIndex } from '../../contract/identity';
import type {
  EndpointPlan,
  EndpointUse,
  EnvEntry,
  PlatformRef,
  ProbeSpec,
  SecretRef,
  SharedEndpointPlan,
  TokenEntry,
} from '../../contract/plan';
import { sharedUrlPlaceholder } from '../../contract/shared-urls';
import { variablesIn } from '../../contract/url-placeholders';
import { kindOfField, referencesInText, withReferences } from '../auxiliary-references';
import type { AuxiliaryReference } from '../auxiliary-references';
import { prefixOf } from '../check/check-auxiliary';
import type { AuxiliaryConfig } from '../schema/auxiliary';
import type { ResolvedConfig } from '../schema/config';
import type { DedicatedDeployment } from '../schema/deployment';
import { Leaf } from '../schema/leaf';
import type { RawValue } from '../schema/leaf';
import { fillReferences } from './auxiliary-fill';
import type { Filled } from './auxiliary-fill';
import { isLoopbackUrl, readExistingUrl, requestUrl } from './existing-url';
import { hasVariable, secretOf } from './merge-variables';
import type { Variables } from './merge-variables';
import { endpointPrice } from './plan-budget';
import { dedicatedEndpoint } from './plan-endpoint';
import type { ProblemReport } from './problem-report';
import type { ResolvedTask } from './resolve-task';
import { endpointName, taskSlug } from './resource-names';
import { mergedUserConfig } from './run-config';
import { sharedCaches } from './shared-caches';

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

/** A task with the config of its variant. */
export interface AuxiliaryUser {
  readonly task: ResolvedTask;
  readonly config: ResolvedConfig;
  readonly variables: Variables;
  readonly report: ProblemReport;
}

interface Request {
  readonly config: ResolvedConfig;
  readonly users: readonly AuxiliaryUser[];
  readonly trustCommands: boolean;
  readonly invocation: string;
  readonly platform: PlatformRef;
  readonly report: ProblemReport;
}

/** One auxiliary deployment that some task uses. */
interface Auxiliary {
  readonly name: string;
  readonly prefix: string;
  readonly config: AuxiliaryConfig;
  readonly modelId: string;
  /** Name of the endpoint, if one is deployed. */
  readonly endpointName: string | null;
  /** Kinds of requests with their paths, of a deployed one; with their URLs, of an existing one. */
  readonly places: ReadonlyMap<string, string>;
  /** What callers must present; empty: nothing. */
  tokens: readonly TokenEntry[];
}

export function planAuxiliaries(request: Request): PlannedAuxiliaries {
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

const prefixIn = (name: string, { own }: AuxiliaryConfig): string => own.env_prefix ?? prefixOf(name);

/** Whether the job's config, shell lines or variables refer to it. */
function isUsedBy({ task, config, variables }: AuxiliaryUser, name: string, prefix: string): boolean {
  const variable = new RegExp(`\\b${prefix}_(?:[A-Z0-9_]+_URL|MODEL_ID)\\b`);
  const refers = (text: string): boolean =>
    referencesInText(text).some((reference) => reference.name === name) || variable.test(text);
  const { evaluation } = config;
  const { entries, runtime } = variables;
  const texts = [
    ...textsIn(mergedUserConfig(evaluation.nemo_evaluator_config, task.config.nemo_evaluator_config)),
    ...[evaluation.pre_cmd, evaluation.post_cmd, task.config.pre_cmd, task.config.post_cmd].flatMap(
      (text) => text ?? [],
    ),
    ...entries.flatMap((entry) => ('value' in entry ? [entry.value] : [])),
    ...runtime.map(({ from }) => from),
  ];
  return texts.some(refers);
}

function textsIn(value: RawValue): string[] {
  if (value === null) return [];
  if (value instanceof Leaf) return typeof value.value === 'string' ? [value.value] : [];
  return (Array.isArray(value) ? (value as readonly RawValue[]) : Object.values(value)).flatMap(textsIn);
}

function auxiliaryOf(
  { name, one, position }: { readonly name: string; readonly one: AuxiliaryConfig; readonly position: number },
  { invocation, platform, report }: Request,
): Auxiliary {
  const common = { name, prefix: prefixIn(name, one), config: one, tokens: [] };
  const at = `auxiliary_deployments.${name}`;
  if (one.kind === 'deployed') {
    const { deployment } = one;
    const parts = { slug: taskSlug(name), index: indexText(sharedIndex(position)), invocation };
    return {
      ...common,
      modelId: deployment.served_model_name ?? '',
      endpointName: endpointName(deployment.lepton_config.endpoint_name ?? deployment.type, parts),
      places: new Map(
        Object.entries(deployment.endpoints).flatMap(([kind, path]) =>
          kind === 'health' || path === null ? [] : [[kind, path] as const],
        ),
      ),
    };
  }
  const { url, model_id: modelId } = one.own;
  if (modelId === null)
    report.add(`${at}.model_id`, 'is required: under which name does the endpoint serve the model?');
  const existing = readExistingUrl(url ?? '');
  if (existing.kind === 'invalid') report.add(`${at}.url`, existing.message, existing.hint);
  else if (platform.kind === 'lepton' && isLoopbackUrl(existing.url) && !isLoopbackUrl(platform.url))
    report.add(
      `${at}.url`,
      'is this machine, which a job on Lepton cannot reach',
      'give an address that jobs can reach',
    );
  const kinds = ['chat', 'completions', 'embedding'] as const;
  return {
    ...common,
    modelId: modelId ?? '',
    endpointName: null,
    places: new Map(
      existing.kind === 'invalid' ? [] : kinds.map((kind) => [kind, requestUrl(existing, kind)] as const),
    ),
  };
}

function checkPrefixes(auxiliaries: readonly Auxiliary[], report: ProblemReport): void {
  for (const [at, { name, prefix }] of auxiliaries.entries()) {
    const other = auxiliaries.slice(0, at).find((before) => before.prefix === prefix);
    if (other !== undefined)
      report.add(
        `auxiliary_deployments.${name}`,
        `its variables begin with ${prefix}_, as those of ${other.name} do`,
        'set env_prefix',
      );
  }
}

const urlVariable = ({ prefix }: Auxiliary, kind: string): string =>
  `${prefix}_${kind.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')}_URL`;

/** The path of a base URL, to which clients of the OpenAI kind append the rest. */
const basePath = '/v1';

function textFor(auxiliary: Auxiliary, field: string): string | undefined {
  if (field === 'model_id') return auxiliary.modelId;
  if (field === 'api_key_name') return keyVariable(auxiliary);
  const kind = field === 'base_url' ? 'base' : kindOfField(field);
  if (kind === undefined) return undefined;
  if (auxiliary.endpointName !== null) {
    const isKnown = kind === 'base' || auxiliary.places.has(kind);
    return isKnown ? sharedUrlPlaceholder(urlVariable(auxiliary, kind)) : undefined;
  }
  return kind === 'base'
    ? auxiliary.places.get('chat')?.replace(/\/chat\/completions$/, '')
    : auxiliary.places.get(kind);
}

/** The variable with the key, if the config names no other one. */
function keyVariable({ config, prefix }: Auxiliary): string {
  return (config.kind === 'existing' ? config.own.api_key_name : null) ?? `${prefix}_API_KEY`;
}

/** Whether callers need a key. */
function isKeyed({ config }: Auxiliary): boolean {
  return config.kind === 'existing'
    ? config.own.api_key_name !== null
    : !config.deployment.lepton_config.allow_unauthenticated_access;
}

function finder(auxiliaries: readonly Auxiliary[]) {
  const named = (name: string): Auxiliary | undefined => auxiliaries.find((auxiliary) => auxiliary.name === name);
  return {
    textFor: ({ name, field }: AuxiliaryReference): string | undefined => {
      const auxiliary = named(name);
      return auxiliary && textFor(auxiliary, field);
    },
    keyFor: (name: string): string | undefined => {
      const auxiliary = named(name);
      return auxiliary && isKeyed(auxiliary) ? keyVariable(auxiliary) : undefined;
    },
  };
}

function fill({ task }: AuxiliaryUser, value: RawValue, auxiliaries: readonly Auxiliary[]): Filled {
  const params = task.config.container === null ? task.catalogueEntry?.params : undefined;
  return fillReferences(value, params && { config: { params } }, finder(auxiliaries));
}

const userConfig = ({ task, config }: AuxiliaryUser): RawValue =>
  mergedUserConfig(config.evaluation.nemo_evaluator_config, task.config.nemo_evaluator_config);

const filledConfig = (user: AuxiliaryUser, auxiliaries: readonly Auxiliary[]): Filled =>
  fill(user, userConfig(user), auxiliaries);

type Keys = Filled['keys'];

/** Returns the variables in which a job has the key. */
const keyNames = (auxiliary: Auxiliary, keys: Keys): readonly string[] =>
  isKeyed(auxiliary) ? [...new Set([keyVariable(auxiliary), ...(keys.get(auxiliary.name) ?? [])])] : [];

/** As for the run's own endpoint: the config's tokens; else the keys that jobs are given for it; else one that is made for it. */
function tokensOf(
  auxiliary: Auxiliary,
  keyed: readonly { readonly user: AuxiliaryUser; readonly keys: Keys }[],
): readonly TokenEntry[] {
  const { config } = auxiliary;
  if (config.kind === 'existing' || !isKeyed(auxiliary)) return [];
  const { api_token: one, api_tokens: more } = config.deployment.lepton_config;
  const own = [...(one === null ? [] : [one]), ...more];
  if (own.length > 0) return own;
  const given = keyed.flatMap(({ user: { variables }, keys }) =>
    keyNames(auxiliary, keys).flatMap((name) => secretOf(variables, name) ?? []),
  );
  const distinct = [...new Map(given.map((secret) => [`${secret.kind} ${secret.name}`, secret])).values()];
  return distinct.length > 0 ? distinct : [{ kind: 'made' }];
}

function sharedPlan(auxiliary: Auxiliary, request: Request): SharedEndpointPlan {
  const { name, endpointName: deployed, config: own } = auxiliary;
  const lepton = own.kind === 'existing' ? undefined : withInstances(own).lepton_config;
  const price =
    lepton &&
    endpointPrice(request.config, { shape: lepton.resource_shape, replicas: lepton.max_replicas }, request.report);
  return {
    name,
    endpointName: deployed,
    endpoint: endpointOf(auxiliary, request),
    folder: `endpoint-${taskSlug(name)}`,
    ...(price === undefined ? {} : { endpointPerHour: price }),
  };
}

function endpointOf(auxiliary: Auxiliary, { config, users, trustCommands, platform, report }: Request): EndpointPlan {
  const { name, config: own, modelId, tokens } = auxiliary;
  const uses = (field: string): boolean =>
    users.some((user) =>
      textsIn(userConfig(user)).some((text) =>
        referencesInText(text).some((reference) => reference.name === name && reference.field === field),
      ),
    );
  const warmUp: ProbeSpec['warmUp'] = uses('chat_url') ? 'chat' : uses('completions_url') ? 'completions' : 'none';
  if (own.kind === 'existing') {
    const variable = own.own.api_key_name;
    const [first] = users;
    const given = first === undefined || variable === null ? undefined : secretOf(first.variables, variable);
    const token: SecretRef | null = variable === null ? null : (given ?? { kind: 'host', name: variable });
    return {
      kind: 'existing',
      url: auxiliary.places.get('chat') ?? '',
      probe: { servedModel: modelId, healthPath: null, warmUp, token },
    };
  }
  const deployment = withInstances(own);
  if (own.own.num_nodes !== own.own.num_instances)
    report.add(
      `auxiliary_deployments.${name}.num_nodes`,
      `is ${own.own.num_nodes}, but a replica runs on one node`,
      `set num_instances to the same, or choose a larger auxiliary_deployments.${name}.lepton_config.resource_shape`,
    );
  const nothing = { url: null, model_id: null, api_key_name: null };
  return dedicatedEndpoint(
    {
      config: { ...config, deployment, target: { api_endpoint: nothing } },
      deployment,
      trustCommands,
      tokens,
      caches: sharedCaches(config, platform.kind),
      report: report.moved('deployment', `auxiliary_deployments.${name}`),
    },
    warmUp,
  );
}

function withInstances({ deployment, own }: Extract<AuxiliaryConfig, { kind: 'deployed' }>): DedicatedDeployment {
  const { lepton_config: lepton } = deployment;
  if (own.num_instances === 1 || lepton.min_replicas !== 1 || lepton.max_replicas !== 1) return deployment;
  const replicas = { min_replicas: own.num_instances, max_replicas: own.num_instances };
  return { ...deployment, lepton_config: { ...lepton, ...replicas } };
}

function ofTask(
  user: AuxiliaryUser,
  { auxiliaries, keys }: { readonly auxiliaries: readonly Auxiliary[]; readonly keys: Keys },
  request: Request,
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
