/** Plans the endpoint of an auxiliary deployment. */
import type { EndpointPlan, ProbeSpec, SecretRef, SharedEndpointPlan, TokenEntry } from '../../contract/plan';
import { referencesInText } from '../auxiliary-references';
import type { AuxiliaryConfig } from '../schema/auxiliary';
import type { DedicatedDeployment } from '../schema/deployment';
import { isKeyed, keyNames, textsIn, userConfig } from './auxiliary';
import type { Auxiliary, AuxiliaryRequest, AuxiliaryUser, Keys } from './auxiliary';
import { secretOf } from './merge-variables';
import { endpointPrice } from './plan-budget';
import { dedicatedEndpoint } from './plan-endpoint';
import { taskSlug } from './resource-names';
import { sharedCaches } from './shared-caches';

/** As for the run's own endpoint: the config's tokens; else the keys that jobs are given for it; else one that is made for it. */
export function tokensOf(
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

export function sharedPlan(auxiliary: Auxiliary, request: AuxiliaryRequest): SharedEndpointPlan {
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

function endpointOf(
  auxiliary: Auxiliary,
  { config, users, trustCommands, platform, report }: AuxiliaryRequest,
): EndpointPlan {
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
