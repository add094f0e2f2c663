import { setTimeout as sleep } from 'node:timers/promises';
import { Hono } from 'hono';
import { z } from 'zod';
import { isSameSecret } from '../../../support/same-secret';
import type { RuntimeDeployment, RuntimeHost } from '../../runtime';
import { chatResponse, chatChunks, completionResponse } from './completions';
import type { ServingState } from './deployments';

/** Deployments are served at `/e/<name>`. */
export const servingPath = '/e';

interface ServingEnv {
  Variables: { served: ServingState };
}

/**
 * Builds the OpenAI-compatible API of all simulated deployments: 404 for an unknown one, 503 until Ready, 401 without
 * its token.
 */
export function createServingApp(
  find: (name: string) => ServingState | undefined,
  host: RuntimeHost,
): Hono<ServingEnv> {
  const app = new Hono<ServingEnv>();
  app.onError((error) => failure(400, error instanceof z.ZodError ? z.prettifyError(error) : error.message));
  app.use(`${servingPath}/:name/*`, async (c, next) => {
    const served = find(c.req.param('name'));
    if (served === undefined) return failure(404, 'there is no such deployment');
    if (!served.ready) return failure(503, 'the deployment is not ready');
    if (served.readyFor < (served.rule.unhealthy ?? 0)) return failure(503, 'the model is still loading');
    if (!isAuthorized(c.req.header('authorization') ?? '', served.deployment, host)) {
      return failure(401, 'a valid token of this endpoint is needed');
    }
    c.set('served', served);
    return next();
  });
  const at = (path: string): string => `${servingPath}/:name${path}`;
  app.get(at('/health'), (c) => c.json({ status: 'ok' }));
  app.get(at('/v1/models'), (c) => {
    const data = servedModels(c.get('served')).map((id) => ({
      id,
      object: 'model',
      created: 0,
      owned_by: 'simulated',
    }));
    return c.json({ object: 'list', data });
  });
  app.use(at('/v1/*'), async (c, next) => {
    if (c.req.method === 'POST') await warmedUp(c.get('served'), c.req.raw.signal);
    return next();
  });
  app.post(at('/v1/completions'), async (c) => {
    const body: unknown = await c.req.json();
    return wrongModel(body, c.get('served')) ?? c.json(completionResponse(body));
  });
  app.post(at('/v1/chat/completions'), async (c) => {
    const body: unknown = await c.req.json();
    const refusal = wrongModel(body, c.get('served'));
    if (refusal !== undefined) return refusal;
    if (!z.object({ stream: z.literal(true) }).safeParse(body).success) return c.json(chatResponse(body));
    return c.body(chatChunks(body).join(''), 200, { 'content-type': 'text/event-stream' });
  });
  return app;
}

/** Resolves when completions may be answered, or when the caller has left. */
async function warmedUp(served: ServingState, signal: AbortSignal): Promise<void> {
  if (isHanging(served)) return callerLeaves(signal);
  const leftMs = (served.rule.warms ?? 0) - served.readyFor;
  if (leftMs > 0) await sleep(leftMs, undefined, { signal, ref: false }).catch(() => undefined);
}

const isHanging = ({ rule: { hangs = false }, readyFor }: ServingState): boolean =>
  typeof hangs === 'boolean' ? hangs : readyFor >= hangs;

const callerLeaves = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });

/**
 * Returns the names of the served model: from the plan, the environment, the command line, or the deployment's name.
 */
export function servedModels({ deployment, rule }: Pick<ServingState, 'deployment' | 'rule'>): string[] {
  const variable = deployment.spec.envs?.find((env) => env.name === 'SERVED_MODEL_NAME')?.value;
  const command = (deployment.spec.container?.command ?? []).join(' ');
  const [, double, single, bare] =
    /--served[-_]model[-_]name[ =]+(?:"([^"]+)"|'([^']+)'|([^\s"']+))/.exec(command) ?? [];
  return [rule.serves ?? variable ?? double ?? single ?? bare ?? deployment.name];
}

function wrongModel(body: unknown, from: ServingState): Response | undefined {
  const requested = z.object({ model: z.string() }).safeParse(body);
  const served = servedModels(from);
  if (!requested.success || served.includes(requested.data.model)) return undefined;
  return failure(404, `the model ${requested.data.model} does not exist; served: ${served.join(', ')}`);
}

/** A deployment whose tokens can't be resolved refuses everybody. */
function isAuthorized(authorization: string, { spec }: RuntimeDeployment, host: RuntimeHost): boolean {
  const tokens = spec.api_tokens ?? [];
  if (tokens.length === 0) return true;
  const [, given = ''] = /^Bearer\s+(\S+)\s*$/i.exec(authorization) ?? [];
  return tokens.some((token) => {
    const reference = token.value_from?.token_name_ref;
    const wanted = token.value ?? (reference === undefined ? undefined : host.secret(reference));
    return wanted !== undefined && wanted !== '' && isSameSecret(given, wanted);
  });
}

const failure = (status: 400 | 401 | 404 | 503, message: string): Response =>
  Response.json({ error: { message, type: 'simulated', code: status } }, { status });
