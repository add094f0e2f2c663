import type { Payload, PayloadCodec } from '@temporalio/common';
import { Hono, type MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { cors } from 'hono/cors';
import { z } from 'zod';
import { closeServer, listenOnLoopback, serverFor } from '../support/listen';
import { ownHosts } from '../support/own-hosts';
import { EncryptionKeyError } from '../temporal/encryption/key-error';

/**
 * Temporal's codec protocol over HTTP: the Web UI, in the user's browser, has what it got from Temporal decrypted here,
 * so that neither Temporal nor the UI's server ever sees plain text. On loopback, and for pages of the given origins only.
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

/** More than Temporal ever hands out in one answer (4 MiB), in base64 and with room. */
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

/** Without the listening: what tests and other servers can call. */
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
    '/decode': (payload: Payload) => decoded(codec, payload),
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

/** One whose key is not here stays as it is: the rest of the page is to be readable. */
async function decoded(codec: PayloadCodec, payload: Payload): Promise<Payload> {
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

/** Not being allowed to read an answer would not keep a page from asking; programs send no origin. */
function knownOriginsOnly(origins: readonly string[]): MiddlewareHandler {
  return async (context, next) => {
    const origin = context.req.header('origin');
    if (origin !== undefined && !origins.includes(origin))
      return context.json({ error: 'pages of this origin may not have anything decrypted' }, 403);
    return next();
  };
}

/** Browsers ask before a page of the internet, such as Temporal Cloud's, may reach loopback. */
const privateNetwork: MiddlewareHandler = async (context, next) => {
  await next();
  if (context.req.header('access-control-request-private-network') === 'true')
    context.header('Access-Control-Allow-Private-Network', 'true');
};
