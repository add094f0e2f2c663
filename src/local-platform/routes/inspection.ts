import { Hono } from 'hono';
import { z } from 'zod';
import { invalid } from '../api-error';
import { faultSchema, type Faults } from '../faults/faults';
import type { RequestLog } from '../faults/request-log';
import type { Workspace } from '../workspace/workspace';
import { jsonBody, type PlatformEnv } from './env';

const planSchema = z.object({ faults: z.array(faultSchema) });
const flagsSchema = z.strictObject({ secure_endpoint_defaults: z.boolean() });

/** Routes of `/__sim`: what exists, which requests came, faults and flags, and when deferred requests land. */
export function inspectionRoutes(parts: {
  readonly workspace: Workspace;
  readonly requests: RequestLog;
  readonly faults: Faults;
}): Hono<PlatformEnv> {
  const { workspace, requests, faults } = parts;
  return new Hono<PlatformEnv>()
    .get('/inventory', async (c) =>
      c.json({
        deployments: workspace.deployments.list().map(({ record }) => record.name),
        jobs: workspace.jobs.list('alive_only').map(({ record }) => record.id),
        storage: await workspace.storage.leaves(),
      }),
    )
    .get('/requests', (c) => c.json(requests.all()))
    .post('/land', async (c) => c.json({ landed: await faults.land() }))
    .post('/plan', async (c) => {
      const plan = planSchema.safeParse(await jsonBody(c));
      if (!plan.success) throw invalid(z.prettifyError(plan.error));
      faults.replace(plan.data.faults);
      return c.json({ faults: plan.data.faults.length });
    })
    .post('/workspace', async (c) => {
      const flags = flagsSchema.safeParse(await jsonBody(c));
      if (!flags.success) throw invalid(z.prettifyError(flags.error));
      workspace.flags.secureEndpoints = flags.data.secure_endpoint_defaults;
      return c.json(flags.data);
    });
}
