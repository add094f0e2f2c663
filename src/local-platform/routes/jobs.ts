import { Hono } from 'hono';
import { isPlainObject } from '../../support/plain-object';
import { invalid } from '../api-error';
import { eventOf, replicaOf } from '../dialects/deployment';
import { jobOf } from '../dialects/job';
import { objectAt, type JsonObject } from '../json';
import type { JobQueryMode } from '../workspace/job-query-mode';
import type { JobView } from '../workspace/jobs';
import type { Workspace } from '../workspace/workspace';
import { checkReplica, nodeName } from './deployments';
import { jsonBody, ok, type PlatformEnv, type PlatformRequest } from './env';
import { logResponse } from './log-response';

const maxPageSize = 10_000;

/** Routes of `/jobs`. */
export function jobRoutes(workspace: Workspace, closing: AbortSignal): Hono<PlatformEnv> {
  const { jobs } = workspace;
  return new Hono<PlatformEnv>()
    .get('/', (c) => c.json(pageOf(c, jobs.list(modeOf(c, 'alive_only')).filter(filterOf(c)))))
    .post('/', async (c) => c.json(jobOf(await jobs.create(await jsonBody(c))), 201))
    .get('/:id', (c) => c.json(jobOf(jobs.get(c.req.param('id'), modeOf(c, 'alive_and_archive')))))
    .patch('/:id', async (c) => c.json(jobOf(await jobs.patch(c.req.param('id'), await jsonBody(c)))))
    .delete('/:id', async (c) => {
      await jobs.delete(c.req.param('id'), modeOf(c, 'alive_only'));
      return ok();
    })
    .get('/:id/events', (c) => {
      const { record } = jobs.get(c.req.param('id'), modeOf(c, 'alive_and_archive'));
      const regarding = { kind: 'LeptonJob', name: record.id };
      return c.json(record.events.map((event) => eventOf(event, regarding)));
    })
    .get('/:id/replicas', async (c) => {
      const view = jobs.get(c.req.param('id'), modeOf(c, 'alive_and_archive'));
      const { id, createdAt } = view.record;
      return c.json((await jobs.hasLog(view)) ? [replicaOf(id, { createdAt, node: nodeName(workspace) })] : []);
    })
    .get('/:id/replicas/:replica/log', async (c) => {
      const view = jobs.get(c.req.param('id'), 'alive_and_archive');
      checkReplica(view.record.id, c.req.param('replica'));
      const log = await jobs.log(view);
      return logResponse(c, (options) => log.open(options), closing);
    });
}

export function modeOf(context: PlatformRequest, fallback: JobQueryMode): JobQueryMode {
  const mode = context.req.query('job_query_mode') ?? fallback;
  if (mode === 'alive_only' || mode === 'archive_only' || mode === 'alive_and_archive') return mode;
  throw invalid(`job_query_mode: ${JSON.stringify(mode)} is not one of alive_only, archive_only, alive_and_archive`);
}

/**
 * Filters by `q` (part of the name), `status`, `node_groups`, `created_by` (repeatable) and `query`
 * (`label=value,…`).
 */
function filterOf(context: PlatformRequest): (view: JobView) => boolean {
  const text = context.req.query('q') ?? '';
  const all = (key: string): string[] => (context.req.queries(key) ?? []).filter((value) => value !== '');
  const [states, groups, creators] = [all('status'), all('node_groups'), all('created_by')];
  const labels = (context.req.query('query') ?? '').split(',').filter((pair) => pair !== '');
  return ({ record, status }) =>
    record.name.includes(text) &&
    (states.length === 0 || states.includes(status.state)) &&
    (groups.length === 0 || allowedGroups(record.spec).some((group) => groups.includes(group))) &&
    (creators.length === 0 || creators.includes(String(record.metadata['created_by']))) &&
    labels.every((pair) => hasLabel(record.metadata, pair));
}

function allowedGroups(spec: JsonObject): string[] {
  const groups = objectAt(spec, 'affinity')['allowed_dedicated_node_groups'];
  return Array.isArray(groups) ? groups.filter((group) => typeof group === 'string') : [];
}

function hasLabel(metadata: JsonObject, pair: string): boolean {
  const [key = '', ...value] = pair.split('=');
  const labels = metadata['labels'];
  if (!isPlainObject(labels)) return false;
  return value.length === 0 ? key in labels : labels[key] === value.join('=').replace(/^=/, '');
}

/** Pages count from 1. A page beyond the end is empty, which tells clients that they have all jobs. */
function pageOf(context: PlatformRequest, views: readonly JobView[]): JsonObject {
  const size = countOf(context, 'page_size') ?? (context.req.query('page') === undefined ? views.length : 500);
  const page = countOf(context, 'page') ?? 1;
  const shown = views.slice((page - 1) * size, page * size);
  return { jobs: shown.map(jobOf), total: views.length, page, page_size: size };
}

function countOf(context: PlatformRequest, key: string): number | undefined {
  const text = context.req.query(key);
  if (text === undefined) return undefined;
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= maxPageSize) return count;
  throw invalid(`${key}: must be a whole number from 1 to ${maxPageSize}, got ${JSON.stringify(text)}`);
}
