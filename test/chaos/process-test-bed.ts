import type { Client } from '@temporalio/client';
import { execa } from 'execa';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer, connect, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import { homePaths, type HomePaths } from '../../src/home/paths';
import { readJsonFile } from '../../src/support/atomic-file';
import type { PlatformAccess } from '../../src/lepton/types';
import { freePort } from '../../src/support/ports';
import { connectClient } from '../../src/temporal/connect';
import { devServerArguments } from '../../src/stack/dev-server';
import { originOf } from '../../src/temporal/origin';
import { findServerBinary } from '../../src/stack/server-binary';
import { embeddedEnv } from '../../src/temporal/target';
import { bareEnvironment, program } from '../support/program';
import { freshFolder, testCache } from '../support/folders';
import { simulatedPlan } from './courses';
import { refusalPatienceMs, requestTimeoutMs, type TestBed } from './test-bed';
import { openTemporalGateway } from './temporal-gateway';

/** How long a service must have run before it is killed again. */
const minLifetimeMs = 3_000;

/** A Temporal server that can be killed. */
export interface MortalServer {
  /** `host:port` */
  readonly address: string;
  /** Whether it is the home's own. */
  readonly isEmbedded: boolean;
  /** Sends SIGKILL, and starts it again after `awayMs`. Resolves when it is dead. */
  kill(what: 'server' | 'database', awayMs?: number): Promise<void>;
  close(): Promise<void>;
}

/** Runs server, worker and platform as processes, as in a real stack, so that they can be killed. Cases share them. */
export async function processTestBed(openServer = embeddedServer): Promise<TestBed> {
  const folder = await freshFolder('chaos-kill');
  const home = homePaths({ EVALSAGA_HOME: path.join(folder.path, 'home') });
  await mkdir(home.root, { recursive: true });
  const server = await openServer(home);
  const { address, isEmbedded } = server;
  const client: Client = await connectClient({
    connection: { address },
    namespace: 'default',
    dataConverter: {},
    timeoutMs: 60_000,
  });
  const wire = await openTcpProxy(Number(address.split(':')[1]));
  const env = { ...bareEnvironment(), EVALSAGA_HOME: home.root };
  const platform = service(await platformCommand(folder.path, env));
  const access = await accessOf(path.join(folder.path, 'platform'));
  const taskQueue = 'chaos';
  const reaching = (at: string) => (isEmbedded ? embeddedEnv(at) : { TEMPORAL_ADDRESS: at });
  const workerAt = ({ address: at, taskQueue: queue }: { address: string; taskQueue: string }): Service =>
    service({
      file: process.execPath,
      args: [program, 'worker'],
      env: {
        ...env,
        ...reaching(at),
        EVALSAGA_TASK_QUEUE: queue,
        EVALSAGA_REQUEST_TIMEOUT: String(requestTimeoutMs / 1000),
        EVALSAGA_REFUSAL_PATIENCE: String(refusalPatienceMs / 1000),
        EVALSAGA_LOG_LEVEL: 'error',
      },
    });
  const worker = workerAt({ address: `127.0.0.1:${wire.port}`, taskQueue });
  let own = 0;
  return {
    client,
    home,
    taskQueue,
    origin: await originOf({ connection: client.connection, namespace: 'default', home, embedded: isEmbedded }),
    folder: folder.path,
    address,
    async worker(watched) {
      const temporal = await openTemporalGateway({ target: address, side: 'worker', watched });
      const queue = `chaos-own-${(own += 1)}`;
      const { kill, stop, deaths } = workerAt({ address: temporal.address, taskQueue: queue });
      const close = async (): Promise<void> => {
        await stop();
        await temporal.close();
      };
      return { taskQueue: queue, temporal, kill, deaths, close };
    },
    twin: () => Promise.reject(new Error('there is one home only')),
    mixedQueue: () => Promise.reject(new Error('there is one worker only')),
    limitedQueue: () => Promise.reject(new Error('there is one worker only')),
    platform: () => Promise.resolve({ access, release: () => Promise.resolve() }),
    kill(what, awayMs) {
      switch (what) {
        case 'worker':
          return worker.kill(awayMs);
        case 'platform':
          return platform.kill(awayMs);
        case 'server':
        case 'database':
          return server.kill(what, awayMs);
      }
    },
    cutFromServer: () => wire.cut(),
    async close() {
      await worker.stop();
      await platform.stop();
      await client.connection.close();
      await wire.close();
      await server.close();
      await folder.dispose();
    },
  };
}

/** Temporal's development server, whose database is a file in the home. */
async function embeddedServer(home: HomePaths): Promise<MortalServer> {
  const port = await freePort([]);
  const uiPort = await freePort([], [port]);
  const server = service(await serverCommand({ database: home.temporalDatabase, journal: 'wal', port, uiPort }));
  return {
    address: `127.0.0.1:${port}`,
    isEmbedded: true,
    kill: (what, awayMs) =>
      what === 'server' ? server.kill(awayMs) : Promise.reject(new Error('its database is a file')),
    close: () => server.stop(),
  };
}

interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Record<string, string>;
}

interface Service {
  /** Kills the process; the next one starts `awayMs` later. */
  kill(awayMs?: number): Promise<void>;
  /** Returns how often it ended by itself. */
  deaths(): number;
  stop(): Promise<void>;
}

/** Keeps a process running: starts it again when it was killed, or ended by itself (which it never should). */
function service({ file, args, env }: Command): Service {
  let stopping = false;
  let startedAt = Date.now();
  let queue = Promise.resolve();
  let deaths = 0;
  let pauseMs = 0;
  const launch = () =>
    execa(file, args, {
      env,
      extendEnv: false,
      reject: false,
      stdin: 'ignore',
      stdout: 'ignore',
      stderr: 'ignore',
      cleanup: true,
    });
  let child: ReturnType<typeof launch>;
  const spawn = (): void => {
    startedAt = Date.now();
    child = launch();
    void child.then(({ isTerminated, exitCode }) => {
      if (stopping) return;
      if (!isTerminated) {
        deaths += 1;
        process.stderr.write(`ended by itself (${exitCode}): ${args.join(' ')}\n`);
      }
      setTimeout(spawn, isTerminated ? pauseMs : minLifetimeMs);
    });
  };
  spawn();
  return {
    deaths: () => deaths,
    async kill(awayMs = 0) {
      // Several cases may kill it. Each time it must first have run for a while, or the case proves nothing.
      const turn = queue;
      let done = (): void => undefined;
      queue = new Promise((resolve) => (done = resolve));
      await turn;
      await sleep(Math.max(0, startedAt + minLifetimeMs - Date.now()));
      pauseMs = awayMs;
      child.kill('SIGKILL');
      await child;
      if (awayMs === 0) done();
      else setTimeout(done, awayMs);
    },
    async stop() {
      stopping = true;
      child.kill('SIGTERM');
      const hard = setTimeout(() => child.kill('SIGKILL'), 5_000);
      await child;
      clearTimeout(hard);
    },
  };
}

async function serverCommand(server: Parameters<typeof devServerArguments>[0]): Promise<Command> {
  const file = await findServerBinary({ home: homePaths({ EVALSAGA_HOME: testCache }), env: process.env });
  return {
    file,
    args: [...devServerArguments(server), '--log-level=never'].filter((arg) => arg !== '--log-level=warn'),
    env: bareEnvironment(),
  };
}

async function platformCommand(folder: string, env: Record<string, string>): Promise<Command> {
  const plan = path.join(folder, 'plan.yaml');
  await writeFile(plan, stringify(simulatedPlan));
  const port = await freePort([]);
  const args = [
    program,
    'platform',
    '--runtime=simulated',
    `--plan=${plan}`,
    `--port=${port}`,
    `--state=${path.join(folder, 'platform')}`,
  ];
  return { file: process.execPath, args, env };
}

async function accessOf(folder: string): Promise<PlatformAccess> {
  for (;;) {
    const access = (await readJsonFile(path.join(folder, 'access.json')).catch(() => undefined)) as
      PlatformAccess | undefined;
    if (access && (await answers(access))) return access;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const answers = ({ url }: PlatformAccess): Promise<boolean> =>
  fetch(new URL('/healthz', url)).then(
    ({ ok }) => ok,
    () => false,
  );

interface TcpProxy {
  readonly port: number;
  cut(): Promise<void>;
  close(): Promise<void>;
}

const cutForMs = 3_000;

/** Opens the only connection from the worker to the server. */
async function openTcpProxy(target: number): Promise<TcpProxy> {
  const pairs = new Set<readonly [Socket, Socket]>();
  let brokenUntil = 0;
  const server: Server = createServer((near) => {
    if (Date.now() < brokenUntil) return void near.destroy();
    const far = connect(target, '127.0.0.1');
    const pair = [near, far] as const;
    pairs.add(pair);
    for (const socket of pair) {
      socket.on('error', () => undefined);
      socket.on('close', () => {
        near.destroy();
        far.destroy();
        pairs.delete(pair);
      });
    }
    near.pipe(far);
    far.pipe(near);
  });
  const breakAll = (): void => pairs.forEach((pair) => pair.forEach((socket) => socket.destroy()));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    cut() {
      brokenUntil = Date.now() + cutForMs;
      breakAll();
      return Promise.resolve();
    },
    async close() {
      breakAll();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
