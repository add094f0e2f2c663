import { isPlainObject } from '../../support/plain-object';
import { invalid } from '../api-error';
import { objectAt, textAt, withoutNulls, type JsonObject } from '../json';
import { desiredReplicas, minReplicas, type DeploymentView } from '../workspace/deployments';

/**
 * The new dialect (`/endpoints`): a spec is a list of components. The store keeps the classic shape of one component;
 * component keys without a classic counterpart are stored under `componentExtras` and restored from there. Pure.
 */

const componentExtras = 'component_extras';
/** Component keys with the same name in the classic spec. */
const sameInSpec = [
  'envs',
  'mounts',
  'storage_attachments',
  'scheduling_policy',
  'queue_config',
  'reservation_config',
  'health',
  'user_security_context',
] as const;
const inRequirement = [
  'resource_shape',
  'min_replicas',
  'max_replicas',
  'shared_memory_size',
  'affinity',
  'host_network',
] as const;
const inContainer = ['image', 'command', 'ports'] as const;
const knownComponentKeys = new Set<string>([...sameInSpec, ...inRequirement, ...inContainer, 'autoscaling', 'name']);
/** Spec keys whose names differ, from the new name to the classic one. */
const renamed: Readonly<Record<string, string>> = {
  access_config: 'auth_config',
  load_balancing: 'load_balance_config',
};
const classicNames = Object.fromEntries(Object.entries(renamed).map(([now, classic]) => [classic, now]));

/** Converts a posted endpoint to a classic deployment body. Throws 400 unless it has exactly one component. */
export function endpointToDeployment(body: JsonObject): JsonObject {
  const metadata = objectAt(body, 'metadata');
  const name = textAt(metadata, 'name');
  return {
    metadata: { ...objectAt(metadata, 'lepton_metadata'), ...(name === undefined ? {} : { name }) },
    spec: endpointSpecToClassic(objectAt(body, 'spec')),
  };
}

/**
 * Converts an endpoint patch to a classic patch. The components array replaces the old one (RFC 7396), so every
 * classic field that comes from a component but is not in the patch is removed.
 */
export function endpointPatchToClassic(body: JsonObject): JsonObject {
  const { components, ...rest } = objectAt(body, 'spec');
  const spec: JsonObject = rename(rest, renamed);
  if (components !== undefined) {
    const component = onlyComponent(components);
    for (const key of sameInSpec) spec[key] = null;
    Object.assign(spec, { auto_scaler: null, [componentExtras]: null }, componentToClassic(component));
    spec['container'] = { ...nulls(inContainer), ...objectAt(spec, 'container') };
    spec['resource_requirement'] = { ...nulls(inRequirement), ...objectAt(spec, 'resource_requirement') };
  }
  return { metadata: objectAt(objectAt(body, 'metadata'), 'lepton_metadata'), spec };
}

function endpointSpecToClassic(spec: JsonObject): JsonObject {
  const { components, ...rest } = spec;
  return { ...rename(withoutNulls(rest), renamed), ...componentToClassic(onlyComponent(components)) };
}

function onlyComponent(components: unknown): JsonObject {
  const list: unknown[] = Array.isArray(components) ? components : [];
  const [component, ...more] = list;
  if (!isPlainObject(component)) throw invalid('spec.components: an endpoint needs one component');
  if (more.length > 0) throw invalid('spec.components: the local platform runs endpoints of one component only');
  return withoutNulls(component);
}

function componentToClassic(component: JsonObject): JsonObject {
  const container = pick(component, inContainer);
  const extras = Object.fromEntries(Object.entries(component).filter(([key]) => !knownComponentKeys.has(key)));
  if (component['name'] !== undefined && component['name'] !== 'default') extras['name'] = component['name'];
  return {
    ...pick(component, sameInSpec),
    ...(Object.keys(container).length === 0 ? {} : { container }),
    resource_requirement: pick(component, inRequirement),
    ...('autoscaling' in component ? { auto_scaler: component['autoscaling'] } : {}),
    ...(Object.keys(extras).length === 0 ? {} : { [componentExtras]: extras }),
  };
}

/** Converts a deployment to an endpoint of the new dialect. */
export function endpointOf({ record, observed }: DeploymentView): JsonObject {
  return {
    metadata: withoutNulls({
      name: record.name,
      created_at: record.createdAt,
      deleted_at: record.deletedAt,
      version: record.version,
      lepton_metadata: { ...record.metadata, last_modified_at: record.modifiedAt },
    }),
    spec: classicToEndpointSpec(record.spec),
    status: withoutNulls({
      state: observed.state === 'Not Ready' ? 'NotReady' : observed.state,
      external_url: observed.url ?? '',
      ready_replicas: observed.readyReplicas,
      auto_scaler_status: { desired_replicas: desiredReplicas(record) },
      message: observed.message,
    }),
  };
}

function classicToEndpointSpec(spec: JsonObject): JsonObject {
  const fromComponent = new Set<string>([
    ...sameInSpec,
    'container',
    'resource_requirement',
    'auto_scaler',
    componentExtras,
  ]);
  const rest = Object.fromEntries(Object.entries(spec).filter(([key]) => !fromComponent.has(key)));
  const component = withoutNulls({
    name: 'default',
    ...objectAt(spec, 'container'),
    ...objectAt(spec, 'resource_requirement'),
    min_replicas: minReplicas(spec),
    autoscaling: spec['auto_scaler'],
    ...pick(spec, sameInSpec),
    ...objectAt(spec, componentExtras),
  });
  return { components: [component], ...rename(rest, classicNames) };
}

const pick = (object: JsonObject, keys: readonly string[]): JsonObject =>
  Object.fromEntries(keys.filter((key) => object[key] !== undefined).map((key) => [key, object[key]]));

const nulls = (keys: readonly string[]): JsonObject => Object.fromEntries(keys.map((key) => [key, null]));

const rename = (object: JsonObject, names: Readonly<Record<string, string>>): JsonObject =>
  Object.fromEntries(Object.entries(object).map(([key, value]) => [names[key] ?? key, value]));
