import { Hono, type MiddlewareHandler } from 'hono';
import { isSameSecret } from '../../../support/same-secret';
import { handleChat } from './chat';
import { handleCompletion } from './completions';
import { ApiFailure, badRequest, modelNotFound } from './api-failure';
import type { Serving } from './generation';
import { readBody, requestSchemas } from './requests';
import { addTokenizerRoutes } from './tokenizer';

/**
 * Builds the HTTP API: OpenAI's completions and chat, and vLLM's tokenizer endpoints. With `tokens`, every path
 * requires one of them. `onRequest` is called when a request arrives and when it is answered, except for `/health`.
 */
export function createApp({
  serving,
  tokens,
  onRequest,
}: {
  serving: Serving;
  tokens: readonly string[];
  onRequest?: (() => void) | undefined;
}): Hono {
  const app = new Hono();
  const { engine, servedModel } = serving;
  const checkModel = (requested: string | undefined): void => {
    if (requested !== undefined && requested !== servedModel) throw modelNotFound(requested, servedModel);
  };
  if (onRequest !== undefined) app.use(reportTraffic(onRequest));
  if (tokens.length > 0)
    app.use(async (context, next) => (authorize(context.req.header('authorization'), tokens), next()));

  app.get('/health', (context) => context.json({ status: 'ok' }));
  app.get('/v1/models', (context) =>
    context.json({
      object: 'list',
      data: [
        {
          id: servedModel,
          object: 'model',
          created: serving.startedAt,
          owned_by: 'evalsaga',
          max_model_len: engine.maxLength,
        },
      ],
    }),
  );
  app.post('/v1/completions', async (context) => {
    const body = await readBody(context.req.raw, requestSchemas.completion);
    checkModel(body.model);
    return handleCompletion(context, serving, body);
  });
  app.post('/v1/chat/completions', async (context) => {
    const body = await readBody(context.req.raw, requestSchemas.chat);
    checkModel(body.model);
    return handleChat(context, serving, body);
  });
  addTokenizerRoutes(app, serving, checkModel);

  app.notFound((context) =>
    context.json(
      new ApiFailure({ status: 404, type: 'NotFoundError', message: `There is no path ${context.req.path}.` }).body(),
      404,
    ),
  );
  app.onError((error, context) => {
    if (error instanceof ApiFailure) return context.json(error.body(), error.status);
    // The caller has disconnected, so nobody reads this response.
    if (context.req.raw.signal.aborted) return context.json(badRequest('The request was cancelled.').body(), 400);
    console.error(error);
    return context.json(
      new ApiFailure({ status: 500, type: 'InternalServerError', message: error.message }).body(),
      500,
    );
  });
  return app;
}

/** Health checks come from whatever supervises the server, and don't count as traffic. */
const reportTraffic =
  (onRequest: () => void): MiddlewareHandler =>
  async (context, next) => {
    if (context.req.path === '/health') return next();
    onRequest();
    return next().finally(onRequest);
  };

function authorize(header: string | undefined, tokens: readonly string[]): void {
  const given = /^Bearer (.+)$/.exec(header ?? '')?.[1] ?? '';
  if (tokens.some((token) => isSameSecret(given, token))) return;
  throw new ApiFailure({
    status: 401,
    type: 'AuthenticationError',
    message: 'A bearer token of this endpoint is required.',
  });
}
