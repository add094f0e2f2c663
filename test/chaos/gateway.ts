import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Pool } from 'undici';
import { shapeOf, taskOf, type Names } from './points';

/** One request of a run, on its way to the platform. */
export interface Passage {
  readonly method: string;
  readonly path: string;
  readonly shape: string;
  /** Which one of its method and shape, from 1. */
  readonly nth: number;
  readonly task: number | undefined;
}

export interface Answer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

/** What the run gets to see: an answer, a cut connection, or nothing. */
export type Seen = Answer | 'cut' | 'silence';

export type Interference = (passage: Passage, forward: () => Promise<Answer>) => Promise<Seen> | undefined;

/** A request with what became of it: `done` is what the platform answered, also when the run was not told. */
export interface Passed extends Passage {
  done: number | undefined;
}

/** Stands between one run and the platform: counts, and lets something interfere with, every request. */
export interface Gateway {
  /** Of the workspace as the run reaches it. */
  readonly url: string;
  readonly passed: readonly Passed[];
  interfere(with_: Interference): void;
  /** Called with every request before it is forwarded. */
  watch(watcher: (passage: Passage) => Promise<void>): void;
  close(): Promise<void>;
}

export async function openGateway(options: {
  readonly platform: () => string;
  readonly names: Names;
}): Promise<Gateway> {
  const { names } = options;
  const { origin, pathname: base } = new URL(options.platform());
  const pool = new Pool(origin, { connections: 32 });
  const passed: Passed[] = [];
  const counts = new Map<string, number>();
  let interference: Interference = () => undefined;
  let watcher: (passage: Passage) => Promise<void> = () => Promise.resolve();

  const server = createServer((request, response) => {
    void handle(request, response).catch(() => response.destroy());
  });

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await bodyOf(request);
    const { method = 'GET', url = '/' } = request;
    const path = url.startsWith(base) ? url.slice(base.length) || '/' : url;
    const shape = shapeOf(path, names);
    const nth = (counts.get(`${method} ${shape}`) ?? 0) + 1;
    counts.set(`${method} ${shape}`, nth);
    const entry: Passed = {
      method,
      path,
      shape,
      nth,
      task: taskOf(`${path} ${body.toString('latin1')}`, names),
      done: undefined,
    };
    passed.push(entry);
    const forward = async (): Promise<Answer> => {
      await watcher(entry);
      const answer = await pool.request({
        method,
        path: url,
        headers: forwarded(request.headers),
        body: body.length > 0 ? body : null,
      });
      entry.done = answer.statusCode;
      return {
        status: answer.statusCode,
        headers: forwarded(answer.headers),
        body: Buffer.from(await answer.body.arrayBuffer()),
      };
    };
    const seen = await (interference(entry, forward) ?? forward());
    if (seen === 'silence') return; // the caller gives up, or the gateway closes
    if (seen === 'cut') return void response.destroy();
    response.writeHead(seen.status, seen.headers).end(method === 'HEAD' ? undefined : seen.body);
  }

  return {
    url: `${await listen(server)}${base}`,
    passed,
    interfere: (with_) => (interference = with_),
    watch: (next) => (watcher = next),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await pool.destroy();
    },
  };
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
