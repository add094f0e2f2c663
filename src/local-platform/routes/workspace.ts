import { Hono } from 'hono';
import { nodeGroupOf, nodesOf, shapeOf, workspaceOf } from '../dialects/workspace';
import { shapes } from '../workspace/shapes';
import type { Workspace } from '../workspace/workspace';
import { anyJsonBody, ok, type PlatformEnv } from './env';

/** The local token does not expire; clients that ask get a time this long after the state folder was created. */
const tokenLifetimeMs = 10 * 365 * 24 * 3_600_000;

/** Clients ask for the workspace before every call, so the size of its storage is cached this long. */
const usageCacheMs = 10_000;

/** Routes of the workspace: `/`, `/workspace`, `/tokens`, `/shapes`, `/usersecrets`, `/dedicated-node-groups`. */
export function workspaceRoutes(workspace: Workspace, token: string): Hono<PlatformEnv> {
  const { secrets, storage } = workspace;
  const usedBytes = cached(() => storage.usedBytes(), usageCacheMs);
  const info = async () => {
    const deployments = workspace.deployments.list();
    const pods = deployments.filter(({ record }) => record.spec['is_pod'] === true).length;
    return workspaceOf({
      name: workspace.name,
      newDialect: workspace.newDialect,
      secureEndpoints: workspace.flags.secureEndpoints,
      runtime: workspace.runtime.kind,
      usedBytes: await usedBytes(),
      deployments: deployments.length - pods,
      pods,
      jobs: workspace.jobs.list('alive_only').length,
      secrets: secrets.list().length,
    });
  };
  return new Hono<PlatformEnv>()
    .get('/', (c) => c.json({ id: workspace.name, display_name: `${workspace.name} (evalsaga local platform)` }))
    .get('/workspace', async (c) => c.json(await info()))
    .get('/info', async (c) => c.json(await info()))
    .get('/tokens', (c) =>
      c.json([
        {
          masked_value: `${token.slice(0, 3)}...${token.slice(-3)}`,
          expires_at: workspace.createdAt + tokenLifetimeMs,
        },
      ]),
    )
    .get('/shapes', (c) => c.json(shapes.map(shapeOf)))
    .get('/usersecrets', (c) =>
      c.json(
        secrets
          .list()
          .map(({ name, visibility, tags }) => ({ name, visibility: visibility ?? 'public', tags: tags ?? [] })),
      ),
    )
    .post('/usersecrets', async (c) => {
      await secrets.create(await anyJsonBody(c));
      return ok();
    })
    .delete('/usersecrets/:name', async (c) => {
      await secrets.delete(c.req.param('name'));
      return ok();
    })
    .route('/dedicated-node-groups', nodeGroupRoutes(workspace));
}

function nodeGroupRoutes({ nodeGroups, storage }: Workspace): Hono<PlatformEnv> {
  /** Throws 404 for a group that does not exist. */
  const noneOf = (id: string): readonly never[] => (nodeGroups.get(id), []);
  return new Hono<PlatformEnv>()
    .get('/', async (c) => {
      const volumes = await storage.names();
      return c.json(nodeGroups.list().map((group) => nodeGroupOf(group, volumes)));
    })
    .get('/:id', async (c) => c.json(nodeGroupOf(nodeGroups.get(c.req.param('id')), await storage.names())))
    .get('/:id/nodes', (c) => c.json(nodesOf(nodeGroups.get(c.req.param('id')))))
    .get('/:id/machines', (c) => c.json(noneOf(c.req.param('id'))))
    .get('/:id/reservations', (c) => c.json(noneOf(c.req.param('id'))))
    .get('/:id/datasources', (c) => c.json({ items: [], id: nodeGroups.get(c.req.param('id')).id }));
}

function cached<T>(compute: () => Promise<T>, maxAgeMs: number): () => Promise<T> {
  let last: { readonly at: number; readonly value: Promise<T> } | undefined;
  return () => {
    if (last === undefined || Date.now() - last.at > maxAgeMs) last = { at: Date.now(), value: compute() };
    return last.value;
  };
}
