/** Plans endpoints that serve the model for several tasks (`deployment.sharing`). Pure. */
import { indexText, sharedIndex } from '../../contract/identity';
import type { EndpointPlan, EndpointUse, SharedEndpointPlan } from '../../contract/plan';
import type { ResolvedConfig } from '../schema/config';
import { endpointName, taskSlug } from './resource-names';

/** The endpoints of one variant, which its tasks take in turn. */
export interface Pool {
  readonly members: readonly PoolMember[];
}

interface PoolMember {
  readonly name: string;
  readonly endpointName: string;
  /** Position in the run's shared endpoints. */
  readonly position: number;
}

/** Returns how many endpoints serve the tasks; `undefined`: each task has its own. */
export function poolSize({ deployment }: ResolvedConfig, tasks: number): number | undefined {
  if (deployment.type === 'none' || deployment.sharing === 'per_task') return undefined;
  const size = deployment.sharing === 'shared' ? 1 : Number(deployment.sharing.slice('pool:'.length));
  return size < tasks ? size : undefined;
}

/** `first`: position of the pool's first endpoint. `model`: name in `models`. */
export function poolOf(
  config: ResolvedConfig,
  of: {
    readonly tasks: number;
    readonly model: string | null;
    readonly invocation: string;
    readonly first: number;
  },
): Pool | undefined {
  const size = poolSize(config, of.tasks);
  const { deployment } = config;
  if (size === undefined || deployment.type === 'none') return undefined;
  const label = of.model ?? 'model';
  const prefix = deployment.lepton_config.endpoint_name ?? of.model ?? deployment.type;
  const members = Array.from({ length: size }, (_, at): PoolMember => {
    const position = of.first + at;
    const parts = { slug: 'shared', index: indexText(sharedIndex(position)), invocation: of.invocation };
    return { name: size === 1 ? label : `${label}-${at}`, endpointName: endpointName(prefix, parts), position };
  });
  return { members };
}

/** Returns the endpoint that the task at this place among its variant's tasks uses. */
export function useOf({ members }: Pool, at: number): EndpointUse & { readonly servesModel: string } {
  const member = members[at % members.length];
  if (member === undefined) throw new Error('a pool has at least one endpoint');
  return { endpoint: member.position, variables: {}, servesModel: member.endpointName };
}

/** `price`: of one of them per hour; `undefined`: the run has no budget. */
export const sharedOf = (
  { members }: Pool,
  { endpoint, price }: { readonly endpoint: EndpointPlan; readonly price: number | undefined },
): SharedEndpointPlan[] =>
  members.map(({ name, endpointName: named, position }) => ({
    name,
    endpointName: named,
    endpoint,
    folder: `endpoint-${indexText(sharedIndex(position))}-${taskSlug(name)}`,
    ...(price === undefined ? {} : { endpointPerHour: price }),
  }));
