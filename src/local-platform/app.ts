import { Hono, type Context } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { ApiError, notFound } from './api-error';
import type { Faults } from './faults/faults';
import { belowBase, injectFaults } from './faults/middleware';
import type { RequestLog } from './faults/request-log';
import { deploymentRoutes, endpointRoutes } from './routes/deployments';
import type { PlatformEnv } from './routes/env';
import { bearerOnly, ownAddressOnly } from './routes/guard';
import { inspectionRoutes } from './routes/inspection';
import { jobRoutes } from './routes/jobs';
import { logRoutes } from './routes/logs';
import { storageRoutes } from './routes/storage';
import { workspaceRoutes } from './routes/workspace';
import type { Workspace } from './workspace/workspace';

/** The limit is generous because a job's script is part of its body. */
const maxBodyBytes = 16 * 1024 * 1024;

export interface AppParts {
  readonly workspace: Workspace;
  readonly token: string;
  readonly faults: Faults;
  readonly requests: RequestLog;
  readonly closing: AbortSignal;
  /** `false` emulates a workspace without a storage API, as the newest ones are. */
  readonly storageApi: boolean;
  /** Returns the port that the server listens on. */
  port(): number;
  log(message: string, fields?: Record<string, unknown>): void;
}

export const workspacePath = (workspace: string): string => `/api/v2/workspaces/${workspace}`;

/** Builds the HTTP API of the local platform. */
export function createApp(parts: AppParts): Hono<PlatformEnv> {
  const base = workspacePath(parts.workspace.name);
  const app = new Hono<PlatformEnv>({ strict: false });
  app.onError((error, context) => errorResponse(error, context, parts));
  app.notFound((context) =>
    errorResponse(notFound(`${context.req.method} ${context.req.path} is not part of this API`), context, parts),
  );
  app.use(`${base}/*`, recordRequests(parts.requests, base)); // matches the base itself too
  app.use(ownAddressOnly(() => parts.port()));
  app.get('/healthz', (context) => context.json({ ok: true }));
  app.use(bearerOnly(parts.token));
  const limit = bodyLimit({
    maxSize: maxBodyBytes,
    onError: () => {
      throw new ApiError(413, `a body must not exceed ${maxBodyBytes} bytes`);
    },
  });
  const isUpload = (path: string): boolean => path.startsWith(`${base}/storage/`);
  app.use((context, next) => (isUpload(context.req.path) ? next() : limit(context, next)));
  app.route('/__sim', inspectionRoutes(parts));
  app.use(`${base}/*`, faultMiddleware(parts, base));
  return mountWorkspace(app, base, parts);
}

function mountWorkspace(app: Hono<PlatformEnv>, base: string, parts: AppParts): Hono<PlatformEnv> {
  const { workspace, closing } = parts;
  app.route(`${base}/deployments`, deploymentRoutes(workspace, closing));
  if (workspace.newDialect) app.route(`${base}/endpoints`, endpointRoutes(workspace, closing));
  app.route(`${base}/jobs`, jobRoutes(workspace, closing));
  app.route(`${base}/logs`, logRoutes(workspace, closing));
  if (parts.storageApi) app.route(`${base}/storage`, storageRoutes(workspace, `${base}/storage`));
  app.route(base, workspaceRoutes(workspace, parts.token));
  return app;
}

const recordRequests =
  (requests: RequestLog, base: string) =>
  async (context: Context<PlatformEnv>, next: () => Promise<void>): Promise<void> => {
    const { search } = new URL(context.req.url);
    const logged = requests.begin({
      method: context.req.method,
      path: `${belowBase(context.req.path, base)}${search}`,
    });
    context.set('logged', logged);
    await next();
    logged.status ??= context.res.status;
  };

const faultMiddleware = (parts: AppParts, base: string) =>
  injectFaults({
    faults: parts.faults,
    base,
    closing: parts.closing,
    aliases: (id) => parts.workspace.jobs.namesOf(id),
  });

function errorResponse(error: Error, context: Context<PlatformEnv>, parts: AppParts): Response {
  if (error instanceof ApiError) return context.json({ code: error.code, message: error.message }, error.status);
  parts.log('a request failed', {
    method: context.req.method,
    path: context.req.path,
    error: error.stack ?? error.message,
  });
  return context.json(
    { code: 'InternalError', message: 'the local platform failed to handle this request; see its log' },
    500,
  );
}
