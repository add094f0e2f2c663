import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import { isPlainObject } from '../../support/plain-object';
import { invalid } from '../api-error';
import type { LoggedRequest } from '../faults/request-log';
import { type JsonObject } from '../json';

/** Types of Hono's context in all routes. */
export interface PlatformEnv {
  Bindings: HttpBindings;
  Variables: { logged: LoggedRequest | undefined };
}

export type PlatformRequest = Context<PlatformEnv>;

/** Reads the posted JSON object. Throws 400 for anything else. */
export async function jsonBody(context: Context): Promise<JsonObject> {
  const body = await anyJsonBody(context);
  if (!isPlainObject(body)) throw invalid('the body must be a JSON object');
  return body;
}

/** Reads the posted JSON value. Throws 400 if the body is not JSON. */
export async function anyJsonBody(context: Context): Promise<unknown> {
  try {
    return (await context.req.json()) as unknown;
  } catch {
    throw invalid('the body must be JSON');
  }
}

export const ok = (): Response => Response.json({});
