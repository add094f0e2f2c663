import {
  connect,
  constants,
  createServer,
  type ClientHttp2Session,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDamaged, isRefusal, type Ledger, type Passed, type VisibleAnswer } from './ledger';
import { taskOf, type Names } from './points';
import { messageIn, Tasks } from './temporal-calls';

/** A proxy between a worker or command and Temporal. All calls are unary, and each is in the ledger. */
export interface TemporalGateway {
  /** `host:port` for the side that is disturbed. */
  readonly address: string;
  /** Breaks all connections, and refuses new ones for this long. */
  sever(forMs: number): void;
  /** Assigns calls to this case from now on, or to none. Calls about other runs are forwarded unchanged. */
  attend(to: WatchedCase | undefined): void;
  /** Resolves when the worker has polled for both kinds of tasks since the last change of case. */
  untilPolled(): Promise<void>;
  close(): Promise<void>;
}

export interface WatchedCase {
  readonly ledger: Ledger;
  readonly names: Names;
}

interface Reply {
  readonly headers: OutgoingHttpHeaders;
  readonly body: Buffer;
  /** `undefined` for a response that consists of headers only. */
  readonly trailers: OutgoingHttpHeaders | undefined;
}

interface Call {
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** Broken on purpose: the request to the server continues. */
  broken: boolean;
}

export async function openTemporalGateway(options: {
  /** `host:port` of the server. */
  readonly target: string;
  readonly side: 'worker' | 'client';
  readonly watched?: WatchedCase;
}): Promise<TemporalGateway> {
  const { side } = options;
  let watched = options.watched;
  const polled = new Set<string>();
  const upstream = reconnecting(options.target);
  const tasks = new Tasks();
  const sessions = new Set<ServerHttp2Session>();
  let severedUntil = 0;
  const server = createServer();
  server.on('session', (session) => {
    session.on('error', () => undefined);
    if (Date.now() < severedUntil) return session.destroy();
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
  });
  server.on('stream', (stream, headers) => {
    stream.on('error', () => undefined);
    void handle(stream, headers).catch(() => breakConnection(stream));
  });

  async function handle(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
    const call: Call = { stream, headers, body: await bodyOf(stream), broken: false };
    await nextTurn();
    const method = (headers[':path'] ?? '').split('/').at(-1) ?? '';
    const request = messageIn(call.body);
    const text = request.toString('latin1');
    if (method.startsWith('Poll')) polled.add(method);
    const { ledger, names } = watched ?? {};
    if (side === 'client' && isWorker(headers)) return show(call, await forward(call, { done: undefined }));
    if (!ledger || !names) return pass(call, method);
    if (side === 'client') names.invocation ??= /eval-([0-9a-f]{16})/.exec(text)?.[1];
    const of = tasks.of(method, request);
    if (isForeign(of?.workflowId, names)) return pass(call, method);
    const task = taskOf(of?.workflowId ?? text, names);
    const entry = ledger.enter({ border: side, method, shape: of?.about ?? '', task });
    const seen = await ledger.pass(entry, () => forward(call, entry));
    if (typeof seen === 'string' || isRefusal(seen)) return show(call, seen);
    return deliver(call, { method, seen: isDamaged(seen) ? seen.answer : seen, done: entry.done });
  }

  /** A poll that began in one case may deliver a task of the next. */
  async function deliver(
    call: Call,
    { method, seen, done }: { method: string; seen: Reply; done: number | undefined },
  ): Promise<void> {
    const delivered = tasks.delivered(method, messageIn(seen.body));
    const { ledger, names } = watched ?? {};
    if (!delivered || !ledger || !names || isForeign(delivered.workflowId, names)) return show(call, seen);
    const task = taskOf(delivered.workflowId, names);
    const delivery = ledger.enter({ border: side, method, shape: delivered.about, task });
    delivery.done = done;
    return show(call, await ledger.pass(delivery, () => Promise.resolve(seen)));
  }

  async function pass(call: Call, method: string): Promise<void> {
    return deliver(call, { method, seen: await forward(call, { done: undefined }), done: 0 });
  }

  async function forward(call: Call, entry: Pick<Passed, 'done'>): Promise<Reply> {
    if (call.stream.destroyed && !call.broken) throw new Error('the caller is gone');
    const reply = await exchange(await upstream.session(), call);
    entry.done = Number((reply.trailers ?? reply.headers)['grpc-status'] ?? 2);
    return reply;
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    sever(forMs) {
      severedUntil = Date.now() + forMs;
      for (const session of sessions) session.destroy();
    },
    attend(to) {
      watched = to;
      polled.clear();
    },
    async untilPolled() {
      for (let tries = 0; polled.size < 2; tries += 1) {
        if (tries > 400) throw new Error(`a worker does not ask for work (${[...polled].join()})`);
        await sleep(25);
      }
    },
    async close() {
      severedUntil = Infinity;
      for (const session of sessions) session.destroy();
      await new Promise((resolve) => server.close(resolve));
      upstream.close();
    },
  };
}

/**
 * A command also starts a background worker on the same address. The worker's calls come from the SDK's core, not
 * from Node.
 */
const isWorker = (headers: IncomingHttpHeaders): boolean => !`${headers['user-agent']}`.includes('grpc-node');

/** Returns whether a call belongs to an earlier run. */
const isForeign = (workflowId: string | undefined, { invocation }: Names): boolean =>
  workflowId !== undefined && invocation !== undefined && !workflowId.includes(invocation);

function show(call: Call, seen: VisibleAnswer<Reply>): void {
  const { stream } = call;
  if (seen === 'silence' || stream.destroyed) return;
  if (seen === 'cut' || seen === 'reset') {
    call.broken = true;
    if (seen === 'cut') return breakConnection(stream);
    return stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  }
  if (isRefusal(seen)) {
    const headers = { 'grpc-status': String(seen.status), 'grpc-message': 'injected by chaos' };
    return stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...headers }, { endStream: true });
  }
  const { headers, body, trailers } = isDamaged(seen) ? seen.answer : seen;
  if (!trailers) return stream.respond(headers, { endStream: true });
  stream.respond(headers, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  stream.end(body);
}

/**
 * Node (20, 24) corrupts its memory if a connection is closed or written to while it processes received data
 * (nodejs/node#64113, #65093), and promises continue within that; so this waits for the next turn of the event loop.
 */
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const breakConnection = ({ session }: ServerHttp2Stream): void => session?.destroy();

/** Keeps one connection to the server, and reconnects after it broke: the server may be killed and restarted. */
function reconnecting(target: string): { session(): Promise<ClientHttp2Session>; close(): void } {
  let current: Promise<ClientHttp2Session> | undefined;
  const open = (): Promise<ClientHttp2Session> =>
    new Promise((resolve, reject) => {
      const session = connect(`http://${target}`);
      const forget = (): void => {
        if (current === opened) current = undefined;
      };
      session.on('connect', () => resolve(session));
      session.on('error', reject);
      session.on('close', forget);
      session.on('goaway', forget);
    });
  let opened: Promise<ClientHttp2Session> | undefined;
  return {
    session() {
      current ??= opened = open();
      const session = current;
      session.catch(() => {
        if (current === session) current = undefined;
      });
      return session;
    },
    close: () => void current?.then((session) => session.destroy()).catch(() => undefined),
  };
}

/** Headers that belong to the connection, or ask for encodings that can't be read here. */
const ownHeaders = new Set([':scheme', ':authority', 'host', 'connection', 'grpc-accept-encoding', 'accept-encoding']);

/** Makes one call to the server. Ends when the caller is gone, unless the connection was broken on purpose. */
function exchange(session: ClientHttp2Session, call: Call): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const forwardedHeaders = Object.entries(call.headers).filter(([name]) => !ownHeaders.has(name));
    const request = session.request(Object.fromEntries(forwardedHeaders));
    const chunks: Buffer[] = [];
    let headers: OutgoingHttpHeaders = {};
    let trailers: OutgoingHttpHeaders | undefined;
    call.stream.once('close', () => {
      if (!call.broken) setImmediate(() => request.close(constants.NGHTTP2_CANCEL));
    });
    request.on('response', (received) => (headers = plain(received)));
    request.on('trailers', (received) => (trailers = plain(received)));
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', reject);
    request.on('close', () => reject(new Error('the call ended without an answer')));
    request.on('end', () => {
      if (trailers ?? headers['grpc-status']) resolve({ headers, body: Buffer.concat(chunks), trailers });
    });
    request.end(call.body);
  });
}

const plain = (headers: IncomingHttpHeaders): OutgoingHttpHeaders =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'date'));

async function bodyOf(stream: ServerHttp2Stream): Promise<Buffer> {
  // Without iteration, which would destroy the stream at the end of the request.
  const chunks: Buffer[] = [];
  await new Promise((resolve, reject) => {
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', resolve);
    stream.on('close', () => reject(new Error('the caller is gone')));
  });
  return Buffer.concat(chunks);
}
