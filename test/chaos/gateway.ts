import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Agent } from 'undici';
import { Lagging, type Lag } from './lag';
import { isRefusal, type Ledger, type Passage, type Refusal } from './ledger';
import { routeOf, taskOf, type Names } from './points';

export interface Answer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

/** Sees every request that is forwarded, and what came of it. The request waits. */
export interface Watcher {
  before?(request: Forwarded): Promise<void>;
  after?(request: Forwarded, answer: Answer): Promise<void>;
}

export interface Forwarded extends Passage {
  readonly path: string;
  readonly body: Buffer;
}

/** Stands between one run and the platform, model servers of its endpoints included: all that passes is in the ledger. */
export interface Gateway {
  /** Of the workspace as the run reaches it. */
  readonly url: string;
  watch(watcher: Watcher): void;
  close(): Promise<void>;
}

export async function openGateway(options: {
  readonly platform: string;
  readonly names: Names;
  readonly ledger: Ledger;
  readonly lag?: Lag;
}): Promise<Gateway> {
  const { names, ledger } = options;
  const lagging = options.lag && new Lagging(options.lag);
  const { origin, pathname: base } = new URL(options.platform);
  const agent = new Agent({ connections: 32 });
  /** Where the platform says that its endpoints are: changes when it is started anew. */
  let serving = origin;
  const watchers: Watcher[] = [];
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
      await Promise.all(watchers.map(async (watcher) => watcher.before?.({ ...entry, path, body })));
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
      await Promise.all(watchers.map(async (watcher) => watcher.after?.({ ...entry, path, body }, seen)));
      return entry.border === 'platform' && lagging ? lagging.shown(method, path, seen) : seen;
    };
    const seen = await ledger.pass(entry, forward);
    if (seen === 'silence') return; // the caller gives up, or the gateway closes
    if (seen === 'cut' || seen === 'reset') return void response.destroy();
    const { status, headers, body: text } = isRefusal(seen) ? madeUp(seen) : seen;
    response.writeHead(status, headers).end(method === 'HEAD' ? undefined : text);
  }

  /** What the run asks its endpoints shall pass here as well. */
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
    watch: (watcher) => void watchers.push(watcher),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await agent.destroy();
    },
  };
}

function madeUp({ status, retryAfter, page }: Refusal): Answer {
  const headers = {
    'content-type': page?.type ?? 'application/json',
    ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
  };
  const text = page?.text ?? JSON.stringify({ code: 'Chaos', message: `made up: ${status}` });
  return { status, headers, body: Buffer.from(text) };
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

/** What belongs to the connection is not passed on. */
function forwarded(headers: NodeJS.Dict<string | string[]>): Record<string, string> {
  const left = ['host', 'connection', 'keep-alive', 'transfer-encoding'];
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined || left.includes(name) ? [] : [[name, String(value)]],
    ),
  );
}
