/**
 * Translates the service's newer form of an endpoint (`/endpoints`: one component per container) to and from the classic
 * deployment, the only form that the rest of evalsaga knows. Pure.
 */
import { z } from 'zod';
import { LeptonError } from './lepton-error';
import { deploymentSchema } from './answers';
import type { Deployment } from './types';

type Json = Readonly<Record<string, unknown>>;

/** The classic API gives this port to a container without ports; the newer one would leave it unreachable. */
const defaultPort = 40_000;

/** Classic spec keys that belong to the component, and their names there. */
const componentKeys: Readonly<Record<string, string>> = {
  envs: 'envs',
  mounts: 'mounts',
  storage_attachments: 'storage_attachments',
  auto_scaler: 'autoscaling',
  scheduling_policy: 'scheduling_policy',
  queue_config: 'queue_config',
  reservation_config: 'reservation_config',
  health: 'health',
  user_security_context: 'user_security_context',
};

/** Keys of `resource_requirement` that belong to the component, under the same names. */
const resourceKeys = [
  'resource_shape',
  'min_replicas',
  'max_replicas',
  'shared_memory_size',
  'affinity',
  'host_network',
];

/** Classic spec keys that belong to the endpoint, and their names there. */
const endpointKeys: Readonly<Record<string, string>> = {
  ingress_enabled: 'ingress_enabled',
  ingress_timeout_seconds: 'ingress_timeout_seconds',
  allow_unauthenticated_access: 'allow_unauthenticated_access',
  auth_config: 'access_config',
  api_tokens: 'api_tokens',
  routing_policy: 'routing_policy',
  load_balance_config: 'load_balancing',
  log: 'log',
  metrics: 'metrics',
  image_pull_secrets: 'image_pull_secrets',
};

const unsupportedResourceKeys = ['cpu', 'memory', 'ephemeral_storage_in_gb', 'accelerator_type', 'accelerator_num'];
const unsupportedPortKeys = ['name', 'expose_strategies', 'host_port', 'enable_load_balancer'];

/** Returns the body of `POST /endpoints`. Throws `LeptonError` (`invalid_request`) for keys that the newer API lacks, instead of dropping them. */
export function toEndpointBody({ name, spec }: { name: string; spec: Json }): Json {
  const container = asObject(spec['container']);
  const resources = asObject(spec['resource_requirement']);
  refuseKeys(resources, unsupportedResourceKeys, 'resource_requirement', 'use resource_shape instead');
  const component = {
    name: 'default',
    ...pick(container, ['image', 'command']),
    ports: toPorts(container['ports']),
    ...rename(spec, componentKeys),
    min_replicas: 1,
    ...pick(resources, resourceKeys),
  };
  return { metadata: { name }, spec: { components: [component], ...rename(spec, endpointKeys) } };
}

function toPorts(value: unknown): Json[] {
  const ports = asList(value);
  if (ports.length === 0) return [{ container_port: defaultPort }];
  return ports.map((port) => {
    refuseKeys(port, unsupportedPortKeys, 'container.ports', 'remove it');
    return pick(port, ['container_port', 'protocol', 'app_protocol']);
  });
}

function refuseKeys(object: Json, keys: readonly string[], where: string, advice: string): void {
  const found = keys.filter((key) => object[key] !== undefined && object[key] !== null);
  if (found.length === 0) return;
  throw new LeptonError(
    `POST /endpoints: this workspace's endpoint API has no ${found.map((key) => `${where}.${key}`).join(', ')}: ${advice}`,
    { kind: 'invalid_request', request: 'POST /endpoints' },
  );
}

const endpointSchema = z.looseObject({
  metadata: z.looseObject({ name: z.string().nullish(), id: z.string().nullish(), deleted_at: z.unknown().optional() }),
  spec: z.looseObject({ components: z.array(z.looseObject({})).nullish() }).nullish(),
  status: z
    .looseObject({
      state: z.string().nullish(),
      external_url: z.string().nullish(),
      ready_replicas: z.number().nullish(),
    })
    .nullish(),
});

/** Reads an item of `/endpoints` as a classic deployment. */
export const endpointAsDeploymentSchema: z.ZodType<Deployment> = endpointSchema
  .transform(toDeployment)
  .pipe(deploymentSchema as z.ZodType<Deployment, Json>);

function toDeployment({ metadata, spec, status }: z.infer<typeof endpointSchema>): Json {
  const components = spec?.components ?? [];
  const component: Json = components.find((candidate) => candidate['frontend'] === true) ?? components[0] ?? {};
  const { name, id, ...rest } = metadata;
  return {
    metadata: { ...rest, id: name ?? id, name: name ?? id },
    spec: {
      container: pick(component, ['image', 'command', 'ports']),
      resource_requirement: pick(component, resourceKeys),
      ...rename(component, invert(componentKeys)),
      ...rename(asObject(spec), invert(endpointKeys)),
    },
    ...(status ? { status: toStatus(status, metadata.deleted_at) } : {}),
  };
}

function toStatus(status: NonNullable<z.infer<typeof endpointSchema>['status']>, deletedAt: unknown): Json {
  const phase = deletedAt ? 'Deleting' : status.state === 'NotReady' ? 'Not Ready' : (status.state ?? undefined);
  return {
    ...status,
    // The classic API reports these two as `Not Ready`, with the real state in `phase`.
    state: phase === 'Stopping' || phase === 'Stopped' ? 'Not Ready' : phase,
    phase,
    endpoint: { external_endpoint: status.external_url ?? '' },
    autoscaler_status: status['auto_scaler_status'],
    // The API omits it when it is zero.
    ready_replicas: status.ready_replicas ?? 0,
  };
}

const asObject = (value: unknown): Json => (typeof value === 'object' && value !== null ? (value as Json) : {});

const asList = (value: unknown): Json[] => (Array.isArray(value) ? (value as Json[]) : []);

const pick = (object: Json, keys: readonly string[]): Json =>
  rename(object, Object.fromEntries(keys.map((key) => [key, key])));

function rename(object: Json, names: Readonly<Record<string, string>>): Json {
  return Object.fromEntries(
    Object.entries(names)
      .filter(([from]) => object[from] !== undefined && object[from] !== null)
      .map(([from, to]) => [to, object[from]]),
  );
}

const invert = (names: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(names).map(([from, to]) => [to, from]));
