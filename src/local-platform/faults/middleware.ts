import { setTimeout as sleep } from 'node:timers/promises';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import type { Context, MiddlewareHandler } from 'hono';
import { isPlainObject } from '../../support/plain-object';
import type { PlatformEnv } from '../routes/env';
import { objectAt } from '../json';
import type { FaultRule, Faults } from './faults';

export interface FaultSettings {
  readonly faults: Faults;
  /** Base path of the workspace. */
  readonly base: string;
  /** Returns other names of the resource with this id, such as a job's name. */
  aliases(id: string): readonly string[];
  readonly closing: AbortSignal;
}

/** Applies the plan's faults to requests below the workspace. */
export function injectFaults(settings: FaultSettings): MiddlewareHandler<PlatformEnv> {
  return async (context, next) => {
    const path = belowBase(context.req.path, settings.base);
    const rule = settings.faults.take({
      method: context.req.method,
      path,
      names: await namesOf(context, path, settings),
    });
    if (rule === undefined) return next();
    if (rule.apply) await next();
    if (rule.delay !== undefined)
      await sleep(rule.delay, undefined, { signal: settings.closing }).catch(() => undefined);
    if (rule.respond === undefined) return rule.apply ? undefined : next();
    const response = rule.respond === 'drop' ? cutConnection(context) : failure(rule, rule.respond);
    if (rule.apply_after === 'told') settings.faults.defer(next);
    else if (rule.apply_after !== undefined) applyLate(rule.apply_after, next, settings.closing);
    if (rule.apply) context.res = undefined; // otherwise Hono merges the headers of the discarded response
    context.res = response;
    return undefined;
  };
}

/** Lets the request take effect after its response. Its body is still there: it was read to find the names. */
function applyLate(afterMs: number, work: () => Promise<void>, closing: AbortSignal): void {
  void sleep(afterMs, undefined, { signal: closing })
    .then(work)
    .catch(() => undefined);
}

export const belowBase = (path: string, base: string): string => path.slice(base.length) || '/';

function cutConnection(context: Context<PlatformEnv>): Response {
  const request = context.get('logged');
  if (request !== undefined) request.status = 0;
  context.env.incoming.socket.destroy();
  return RESPONSE_ALREADY_SENT;
}

function failure(rule: FaultRule, status: number): Response {
  const headers: Record<string, string> =
    rule.retry_after === undefined ? {} : { 'retry-after': String(rule.retry_after) };
  if ([204, 205, 304].includes(status)) return new Response(null, { status, headers });
  if (typeof rule.body === 'string') {
    return new Response(rule.body, { status, headers: { ...headers, 'content-type': 'text/html; charset=utf-8' } });
  }
  const body = rule.body ?? { code: 'SimulatedFault', message: `the plan injected a fault with status ${status}` };
  return Response.json(body, { status, headers });
}

async function namesOf(context: Context<PlatformEnv>, path: string, settings: FaultSettings): Promise<string[]> {
  const parts = path.split('/').filter((part) => part !== '');
  const named = parts[0] === 'storage' ? parts.at(-1) : parts[1];
  if (named !== undefined) {
    const id = decode(named);
    return [id, ...settings.aliases(id)];
  }
  if (!context.req.header('content-type')?.startsWith('application/json')) return [];
  const body: unknown = await context.req.json().catch(() => undefined);
  const entries: unknown[] = Array.isArray(body) ? body : [body];
  return entries.flatMap((entry) => {
    const metadata = objectAt(entry, 'metadata');
    const own = isPlainObject(entry) ? entry['name'] : undefined;
    return [metadata['name'], metadata['id'], own].filter((name) => typeof name === 'string');
  });
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
