import { z } from 'zod';
import { ok, warn, type Answer, type Finding } from './finding';
import type { Needs } from './needs';
import type { WorkspaceInfo } from '../lepton/types';

/** CPU cores, memory in MiB, accelerators. */
const amounts = { cpu: z.number(), memory: z.number(), accelerator_num: z.number() } as const;
const quotaSchema = z.object({ limit: z.object(amounts), used: z.object(amounts) });
const shapeSchema = z.object({ ...amounts }).partial();

const units = { cpu: 'CPU cores', memory: 'MiB of memory', accelerator_num: 'accelerators' } as const;
type Resource = keyof typeof units;

/**
 * Checks whether the endpoints and jobs that exist at the same time fit into the workspace's remaining quota. Never fails,
 * because what doesn't fit waits in the queue. Pure.
 */
export function checkQuota(wanted: Needs, info: Answer<WorkspaceInfo>): Finding[] {
  const about = 'quota';
  if (info.kind === 'unknown') return [];
  const quota = quotaSchema.safeParse(info.value['resource_quota']);
  if (!quota.success || Object.values(quota.data.limit).every((limit) => limit === 0)) {
    return [ok(about, 'the workspace has none')];
  }
  const { limit, used } = quota.data;
  const shapes = info.value.supported_shapes;
  const short = (Object.keys(units) as Resource[]).flatMap((resource) => {
    const endpoints = wanted.endpoints.reduce(
      (sum, { shape, count, replicas }) => sum + amountOf(shapes, shape, resource) * count * replicas,
      0,
    );
    const needed = endpoints + amountOf(shapes, wanted.jobs.shape, resource) * wanted.jobs.count;
    const left = limit[resource] - used[resource];
    return limit[resource] > 0 && needed > left
      ? [`${needed} ${units[resource]}, ${Math.max(left, 0)} of ${limit[resource]} are left`]
      : [];
  });
  if (short.length === 0) return [ok(about, 'endpoints and jobs of the run fit into the remaining quota')];
  return [
    warn(
      about,
      `the run needs ${short.join('; ')}: some of it will wait in the queue`,
      'lower execution.max_parallel_endpoints, or raise execution.lepton_platform.deployment.endpoint_readiness_timeout',
    ),
  ];
}

/** Returns 0 for an unknown shape. */
function amountOf(shapes: WorkspaceInfo['supported_shapes'], name: string | null, resource: Resource): number {
  const shape = shapeSchema.safeParse(name === null ? undefined : shapes[name]);
  return shape.success ? (shape.data[resource] ?? 0) : 0;
}
