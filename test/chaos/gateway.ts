import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Agent } from 'undici';
import { LaggingView, type Lag } from './lag';
import { isDamaged, isRefusal, type Damaged, type Ledger, type Passage, type Refusal } from './ledger';
import { routeOf, taskOf, type Names } from './points';

export interface Answer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

/** Observes every forwarded request and its answer. The request waits for the observer. */
export interface RequestObserver {
  before?(request: Forwarded): Promise<void>;
  after?(request: Forwarded, answer: Answer): Promise<void>;
}

export interface Forwarded extends Passage {
  readonly path: string;
  readonly body: Buffer;
}

/** A proxy between one run and the platform with its model servers; every request is in the ledger. */
export interface Gateway {
  /** URL of the workspace for the run. */
  readonly url: string;
  observe(observer: RequestObserver): void;
  close(): Promise<void>;
}

export async function openGateway(options: {
  readonly platform: string;
  readonly names: Names;
  readonly ledger: Ledger;
  readonly lag?: Lag;
}): Promise<Gateway> {
  const { names, ledger } = options;
  const lagging = options.lag && new LaggingView(options.lag);
  const { origin, pathname: base } = new URL(options.platform);
  const agent = new Agent({ connections: 32 });
  /** Origin of the platform's endpoints, which changes when it is restarted. */
  let serving = origin;
  const observers: RequestObserver[] = [];
  const server = createServer((request, response) => {
    void handle(request, response).catch(() => response.destroy());
  });
  const own = await listen(server);

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await bodyOf(request);
    const { method = 'GET', url = '/' } = request;
    const path = url.startsWith(base) ? url.slice(base.length) || '/' : url;
    const task = taskOf(`${path} ${body.toString('latin1')}`, names);
    const entry = ledger.enter({ ...routeOf(path, names), method, task });
    const forward = async (): Promise<Answer> => {
      await Promise.all(observers.map(async (observer) => observer.before?.({ ...entry, path, body })));
      const answer = await agent.request({
        origin: entry.border === 'model' ? serving : origin,
        method,
        path: url,
        headers: forwarded(request.headers),
        body: body.length > 0 ? body : null,
      });
      entry.done = answer.statusCode;
      const headers = forwarded(answer.headers);
      const text = rewritten(headers, await answer.body.bytes());
      const seen = { status: answer.statusCode, headers, body: text };
      await Promise.all(observers.map(async (observer) => observer.after?.({ ...entry, path, body }, seen)));
      return entry.border === 'platform' && lagging ? lagging.shown(method, path, seen) : seen;
    };
    const seen = await ledger.pass(entry, forward);
    if (seen === 'silence') return; // until the caller gives up or the gateway closes
    if (seen === 'cut' || seen === 'reset') return void response.destroy();
    if (!isRefusal(seen) && isDamaged(seen)) return sendDamaged(response, seen);
    const { status, headers, body: text } = isRefusal(seen) ? refusalAnswer(seen) : seen;
    response.writeHead(status, headers).end(method === 'HEAD' ? undefined : text);
  }

  /** Rewrites endpoint URLs, so that requests to endpoints pass through here as well. */
  function rewritten(headers: Record<string, string>, bytes: Uint8Array): Buffer {
    const body = Buffer.from(bytes);
    if (!headers['content-type']?.includes('json') || !body.includes('/e/')) return body;
    const text = body.toString('utf8').replace(/(http:\/\/127\.0\.0\.1:\d+)(?=\/e\/)/g, (found) => {
      if (found !== own) serving = found;
      return own;
    });
    delete headers['content-length'];
    return Buffer.from(text);
  }

  return {
    url: `${own}${base}`,
    observe: (observer) => void observers.push(observer),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await agent.destroy();
    },
  };
}

function sendDamaged(response: ServerResponse, { how, answer: { status, headers, body } }: Damaged<Answer>): void {
  const rest = Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'content-length'));
  const half = body.subarray(0, Math.floor(body.length / 2));
  const page = '<html><body><h1>Sign in</h1></body></html>';
  switch (how) {
    case 'breaks halfway':
      response.writeHead(status, { ...rest, 'content-length': body.length });
      return void response.write(half, () => response.destroy());
    case 'ends halfway':
      return void response.writeHead(status, rest).end(half);
    case 'wrong bytes':
      return void response.writeHead(status, rest).end(body.map((byte, at) => (at % 7 === 3 ? byte ^ 0x20 : byte)));
    case 'a page':
      return void response.writeHead(200, { 'content-type': 'text/html' }).end(page);
  }
}

function refusalAnswer({ status, retryAfter, page }: Refusal): Answer {
  const headers = {
    'content-type': page?.type ?? 'application/json',
    ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
  };
  const text = page?.text ?? JSON.stringify({ code: 'Chaos', message: `injected: ${status}` });
  return { status, headers, body: Buffer.from(text) };
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** Drops headers that belong to the connection. */
function forwarded(headers: NodeJS.Dict<string | string[]>): Record<string, string> {
  const dropped = ['host', 'connection', 'keep-alive', 'transfer-encoding'];
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined || dropped.includes(name) ? [] : [[name, String(value)]],
    ),
  );
}
