import { Hono } from 'hono';
import { notFound } from '../api-error';
import {
  deploymentOf,
  eventOf,
  hasReplica,
  readinessOf,
  replicaId,
  replicaOf,
  terminationOf,
} from '../dialects/deployment';
import { endpointOf, endpointPatchToClassic, endpointToDeployment } from '../dialects/endpoint';
import type { JsonObject } from '../json';
import type { DeploymentView } from '../workspace/deployments';
import type { Workspace } from '../workspace/workspace';
import { jsonBody, ok, type PlatformEnv } from './env';
import { logResponse } from './log-response';

/** Converts between a dialect's JSON and the classic shape that the store keeps. */
interface Dialect {
  show(view: DeploymentView): JsonObject;
  create(body: JsonObject): JsonObject;
  patch(body: JsonObject): JsonObject;
}

const unchanged = (body: JsonObject): JsonObject => body;

const classic: Dialect = { show: deploymentOf, create: unchanged, patch: unchanged };
const modern: Dialect = { show: endpointOf, create: endpointToDeployment, patch: endpointPatchToClassic };

/** Routes of `/deployments`, the classic dialect. */
export function deploymentRoutes(workspace: Workspace, closing: AbortSignal): Hono<PlatformEnv> {
  return sharedRoutes({ workspace, closing, dialect: classic })
    .get('/:name/readiness', (c) => c.json(readinessOf(workspace.deployments.get(c.req.param('name')))))
    .get('/:name/termination', (c) => c.json(terminationOf(workspace.deployments.get(c.req.param('name')))));
}

/** Routes of `/endpoints`, the new dialect, for the same deployments; it has no readiness and termination. */
export function endpointRoutes(workspace: Workspace, closing: AbortSignal): Hono<PlatformEnv> {
  return sharedRoutes({ workspace, closing, dialect: modern });
}

interface SharedRoutesOptions {
  readonly workspace: Workspace;
  readonly closing: AbortSignal;
  readonly dialect: Dialect;
}

function sharedRoutes({ workspace, closing, dialect }: SharedRoutesOptions): Hono<PlatformEnv> {
  const { deployments, runtime } = workspace;
  return new Hono<PlatformEnv>()
    .get('/', (c) => c.json(deployments.list().map((view) => dialect.show(view))))
    .post('/', async (c) => c.json(dialect.show(await deployments.create(dialect.create(await jsonBody(c)))), 201))
    .get('/:name', (c) => c.json(dialect.show(deployments.get(c.req.param('name')))))
    .patch('/:name', async (c) => {
      const dryRun = c.req.query('dryrun') === 'true';
      const patch = dialect.patch(await jsonBody(c));
      return c.json(dialect.show(await deployments.patch(c.req.param('name'), patch, { dryRun })));
    })
    .delete('/:name', async (c) => {
      await deployments.delete(c.req.param('name'));
      return ok();
    })
    .put('/:name/restart', async (c) => c.json(dialect.show(await deployments.restart(c.req.param('name')))))
    .get('/:name/events', (c) => {
      const { record } = deployments.get(c.req.param('name'));
      const regarding = { kind: 'LeptonDeployment', name: record.name };
      return c.json(record.events.map((event) => eventOf(event, regarding)));
    })
    .get('/:name/replicas', (c) => {
      const { record, observed } = deployments.get(c.req.param('name'));
      const replica = { createdAt: record.createdAt, node: nodeName(workspace) };
      return c.json(hasReplica(observed.state) ? [replicaOf(record.name, replica)] : []);
    })
    .get('/:name/replicas/:replica/log', (c) => {
      const { record } = deployments.get(c.req.param('name'));
      checkReplica(record.name, c.req.param('replica'));
      return logResponse(c, (options) => runtime.deploymentLog(record.name, options), closing);
    });
}

export const nodeName = (workspace: Workspace): string => workspace.nodeGroups.list()[0]?.nodes[0]?.id ?? 'node';

/** Throws 404 unless `replica` is the replica of `resource`. */
export function checkReplica(resource: string, replica: string): void {
  if (replica !== replicaId(resource)) throw notFound(`replica ${replica} of ${resource} was not found`);
}
