import type { MiddlewareHandler } from 'hono';
import { isSameSecret } from '../../support/same-secret';
import { ApiError } from '../api-error';
import { ownHosts } from '../../support/own-hosts';

/**
 * Refuses what a web page in a browser on this machine could send: a foreign `Host` (DNS rebinding) or a foreign
 * `Origin` (cross-site requests). The platform runs commands, so it only answers requests to its own address.
 */
export function ownAddressOnly(port: () => number): MiddlewareHandler {
  return async (context, next) => {
    const hosts = ownHosts(port());
    const host = context.req.header('host')?.toLowerCase();
    if (host === undefined || !hosts.includes(host)) {
      throw new ApiError(403, `the Host header must be one of ${hosts.join(', ')}`);
    }
    const origin = context.req.header('origin')?.toLowerCase();
    if (origin !== undefined && !hosts.some((own) => origin === `http://${own}`)) {
      throw new ApiError(403, 'requests of another origin are refused');
    }
    await next();
  };
}

/** Answers 401 without the right bearer token. */
export function bearerOnly(token: string): MiddlewareHandler {
  return async (context, next) => {
    const [, given] = /^Bearer\s+(\S+)\s*$/i.exec(context.req.header('authorization') ?? '') ?? [];
    if (given === undefined || !isSameSecret(given, token)) {
      throw new ApiError(401, 'a valid token is needed: Authorization: Bearer <token of access.json>');
    }
    await next();
  };
}
