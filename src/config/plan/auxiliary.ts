/** What an auxiliary deployment is for the jobs: its variables, its key, what texts that refer to it stand for. */
import { indexText, sharedIndex } from '../../contract/identity';
import type { PlatformRef, TokenEntry } from '../../contract/plan';
import { sharedUrlPlaceholder } from '../../contract/shared-urls';
import { kindOfField, referencesInText } from '../auxiliary-references';
import type { AuxiliaryReference } from '../auxiliary-references';
import { prefixOf } from '../check/check-auxiliary';
import type { AuxiliaryConfig } from '../schema/auxiliary';
import type { ResolvedConfig } from '../schema/config';
import { Leaf } from '../schema/leaf';
import type { RawValue } from '../schema/leaf';
import type { Filled, Filling } from './auxiliary-fill';
import { isLoopbackUrl, readExistingUrl, requestUrl } from './existing-url';
import type { Variables } from './merge-variables';
import type { ProblemReport } from './problem-report';
import type { ResolvedTask } from './resolve-task';
import { endpointName, taskSlug } from './resource-names';
import { mergedUserConfig } from './run-config';

/** A task with the config of its variant. */
export interface AuxiliaryUser {
  readonly task: ResolvedTask;
  readonly config: ResolvedConfig;
  readonly variables: Variables;
  readonly report: ProblemReport;
}

export interface AuxiliaryRequest {
  readonly config: ResolvedConfig;
  readonly users: readonly AuxiliaryUser[];
  readonly trustCommands: boolean;
  readonly invocation: string;
  readonly platform: PlatformRef;
  readonly report: ProblemReport;
}

/** One auxiliary deployment that some task uses. */
export interface Auxiliary {
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

export const prefixIn = (name: string, { own }: AuxiliaryConfig): string => own.env_prefix ?? prefixOf(name);

/** Whether the job's config, shell lines or variables refer to it. */
export function isUsedBy({ task, config, variables }: AuxiliaryUser, name: string, prefix: string): boolean {
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

export function textsIn(value: RawValue): string[] {
  if (value === null) return [];
  if (value instanceof Leaf) return typeof value.value === 'string' ? [value.value] : [];
  return (Array.isArray(value) ? (value as readonly RawValue[]) : Object.values(value)).flatMap(textsIn);
}

export const userConfig = ({ task, config }: AuxiliaryUser): RawValue =>
  mergedUserConfig(config.evaluation.nemo_evaluator_config, task.config.nemo_evaluator_config);

export function auxiliaryOf(
  { name, one, position }: { readonly name: string; readonly one: AuxiliaryConfig; readonly position: number },
  { invocation, platform, report }: Pick<AuxiliaryRequest, 'invocation' | 'platform' | 'report'>,
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

export function checkPrefixes(auxiliaries: readonly Auxiliary[], report: ProblemReport): void {
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

export const urlVariable = ({ prefix }: Auxiliary, kind: string): string =>
  `${prefix}_${kind.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')}_URL`;

/** The path of a base URL, to which clients of the OpenAI kind append the rest. */
export const basePath = '/v1';

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
export function isKeyed({ config }: Auxiliary): boolean {
  return config.kind === 'existing'
    ? config.own.api_key_name !== null
    : !config.deployment.lepton_config.allow_unauthenticated_access;
}

/** Looks up what texts refer to. */
export function finder(auxiliaries: readonly Auxiliary[]): Filling {
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

export type Keys = Filled['keys'];

/** Returns the variables in which a job has the key. */
export const keyNames = (auxiliary: Auxiliary, keys: Keys): readonly string[] =>
  isKeyed(auxiliary) ? [...new Set([keyVariable(auxiliary), ...(keys.get(auxiliary.name) ?? [])])] : [];
