import type { Payload, PayloadCodec } from '@temporalio/common';
import { Hono, type MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { cors } from 'hono/cors';
import { z } from 'zod';
import { closeServer, listenOnLoopback, serverFor } from '../support/listen';
import { ownHosts } from '../support/own-hosts';
import { EncryptionKeyError } from '../temporal/encryption/key-error';

/**
 * Temporal's codec protocol over HTTP. The Web UI, in the user's browser, has payloads decrypted here, so that neither Temporal nor
 * the UI's server ever sees plain text. Serves loopback only, and only pages of the given origins.
 */

export interface CodecServerRequest {
  readonly codec: PayloadCodec;
  /** 0: any free one. */
  readonly port: number;
  /** Of the Web UI, e.g. `http://127.0.0.1:8233`. */
  readonly origins: readonly string[];
}

export interface CodecServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Bytes; more than a response of Temporal (4 MiB) in base64. */
const largestBody = 16 * 1024 * 1024;

export async function startCodecServer({ codec, port, origins }: CodecServerRequest): Promise<CodecServer> {
  let bound = 0;
  const server = serverFor(codecApp({ codec, origins, port: () => bound }));
  bound = await listenOnLoopback(server, [port]);
  return { port: bound, close: () => closeServer(server) };
}

const payloadSchema = z.object({ metadata: z.record(z.string(), z.string()).optional(), data: z.string().optional() });
const bodySchema = z.object({ payloads: z.array(payloadSchema) });
type WirePayload = z.infer<typeof payloadSchema>;

/** Returns the app without a server, for tests. */
export function codecApp(options: {
  readonly codec: PayloadCodec;
  readonly origins: readonly string[];
  readonly port: () => number;
}): Hono {
  const { codec, origins, port } = options;
  const app = new Hono();
  app.use(ownHostOnly(port), knownOriginsOnly(origins), privateNetwork);
  app.use(
    cors({
      origin: (origin) => (origins.includes(origin) ? origin : null),
      allowMethods: ['POST', 'OPTIONS'],
      allowHeaders: ['Content-Type', 'X-Namespace', 'Authorization', 'X-CSRF-Token', 'Caller-Type'],
      credentials: true,
      maxAge: 600,
    }),
    bodyLimit({ maxSize: largestBody }),
  );
  app.get('/healthz', (context) => context.json({ ok: true }));
  const answer = async (body: unknown, change: (payload: Payload) => Promise<Payload>): Promise<object | undefined> => {
    const parsed = bodySchema.safeParse(body);
    if (!parsed.success) return undefined;
    const payloads = await Promise.all(parsed.data.payloads.map(async (wire) => toWire(await change(fromWire(wire)))));
    return { payloads };
  };
  const changes = {
    '/encode': async (payload: Payload) => (await codec.encode([payload]))[0] ?? payload,
    '/decode': (payload: Payload) => decodeOrKeep(codec, payload),
  };
  for (const [path, change] of Object.entries(changes)) {
    app.post(path, async (context) => {
      const body = await context.req.json<unknown>().catch(() => undefined);
      const changed = await answer(body, change);
      return changed ? context.json(changed) : context.json({ error: 'no list of payloads was sent' }, 400);
    });
  }
  return app;
}

/** Decrypts one payload; returns it unchanged if its key is missing, so that the rest of the page can be read. */
async function decodeOrKeep(codec: PayloadCodec, payload: Payload): Promise<Payload> {
  try {
    return (await codec.decode([payload]))[0] ?? payload;
  } catch (error) {
    if (error instanceof EncryptionKeyError) return payload;
    throw error;
  }
}

const fromWire = ({ metadata = {}, data = '' }: WirePayload): Payload => ({
  metadata: Object.fromEntries(Object.entries(metadata).map(([name, value]) => [name, Buffer.from(value, 'base64')])),
  data: Buffer.from(data, 'base64'),
});

const toWire = ({ metadata, data }: Payload): WirePayload => ({
  metadata: Object.fromEntries(
    Object.entries(metadata ?? {}).map(([name, value]) => [name, Buffer.from(value).toString('base64')]),
  ),
  data: Buffer.from(data ?? new Uint8Array()).toString('base64'),
});

function ownHostOnly(port: () => number): MiddlewareHandler {
  return async (context, next) => {
    const hosts = ownHosts(port());
    if (!hosts.includes(context.req.header('host')?.toLowerCase() ?? ''))
      return context.json({ error: `the Host header must be one of ${hosts.join(', ')}` }, 403);
    return next();
  };
}

/** CORS keeps other pages from reading an answer, but not from sending a request. Programs send no origin. */
function knownOriginsOnly(origins: readonly string[]): MiddlewareHandler {
  return async (context, next) => {
    const origin = context.req.header('origin');
    if (origin !== undefined && !origins.includes(origin))
      return context.json({ error: 'pages of this origin may not have anything decrypted' }, 403);
    return next();
  };
}

/** Before a page from the internet, such as Temporal Cloud's, may reach loopback, browsers ask for this header. */
const privateNetwork: MiddlewareHandler = async (context, next) => {
  await next();
  if (context.req.header('access-control-request-private-network') === 'true')
    context.header('Access-Control-Allow-Private-Network', 'true');
};
