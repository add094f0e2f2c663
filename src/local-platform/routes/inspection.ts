import { Hono } from 'hono';
import { z } from 'zod';
import { invalid } from '../api-error';
import { faultSchema, type Faults } from '../faults/faults';
import type { RequestLog } from '../faults/request-log';
import { causeSchema } from '../runtimes/simulated/endings';
import { Changes } from '../workspace/changes';
import type { Workspace } from '../workspace/workspace';
import { jsonBody, type PlatformEnv } from './env';

const planSchema = z.object({ faults: z.array(faultSchema) });
const endSchema = z.strictObject({ name: z.string(), by: causeSchema });
const flagsSchema = z.strictObject({ secure_endpoint_defaults: z.boolean() });

/** Longest wait for a change, milliseconds. */
const longestWaitMs = 30_000;

/** Routes of `/__sim`: what exists, when that changes, which requests came, faults and flags, and when deferred requests land. */
export function inspectionRoutes(parts: {
  readonly workspace: Workspace;
  readonly requests: RequestLog;
  readonly faults: Faults;
  readonly closing: AbortSignal;
}): Hono<PlatformEnv> {
  const { workspace, requests, faults, closing } = parts;
  const changes = new Changes(workspace);
  return new Hono<PlatformEnv>()
    .get('/inventory', async (c) =>
      c.json({
        deployments: workspace.deployments.list().map(({ record }) => record.name),
        jobs: workspace.jobs.list('alive_only').map(({ record }) => record.id),
        storage: await workspace.storage.leaves(),
      }),
    )
    .get('/changes', async (c) => {
      // A held question: answered with new revisions as soon as one differs from `?deployments=…&jobs=…`, or after `wait_ms`.
      const known = { deployments: c.req.query('deployments') ?? '', jobs: c.req.query('jobs') ?? '' };
      const waitMs = Math.min(Number(c.req.query('wait_ms') ?? 0) || 0, longestWaitMs);
      const signal = AbortSignal.any([c.req.raw.signal, closing]);
      return c.json(await changes.next(known, { waitMs, signal }));
    })
    .get('/requests', (c) => c.json(requests.all()))
    .post('/land', async (c) => c.json({ landed: await faults.land() }))
    .post('/plan', async (c) => {
      const plan = planSchema.safeParse(await jsonBody(c));
      if (!plan.success) throw invalid(z.prettifyError(plan.error));
      faults.replace(plan.data.faults);
      return c.json({ faults: plan.data.faults.length });
    })
    .post('/end', async (c) => {
      const asked = endSchema.safeParse(await jsonBody(c));
      if (!asked.success) throw invalid(z.prettifyError(asked.error));
      return c.json({ ended: await workspace.jobs.end(asked.data.name, asked.data.by) });
    })
    .post('/workspace', async (c) => {
      const flags = flagsSchema.safeParse(await jsonBody(c));
      if (!flags.success) throw invalid(z.prettifyError(flags.error));
      workspace.flags.secureEndpoints = flags.data.secure_endpoint_defaults;
      return c.json(flags.data);
    });
}
