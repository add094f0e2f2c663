import path from 'node:path';
import { encryptionOf } from '../temporal/encryption/data-converter';
import { keyFileVariable } from '../temporal/encryption/key-file';
import type { HomePaths } from '../home/paths';
import { defaultPorts, devServerArguments, journalFor } from './dev-server';
import { embeddedEnv, namespaceIdVariable, type Env } from '../temporal/target';
import { startInBackground } from './background-process';
import { backgroundEnv } from './background-env';
import { localWorkspace } from './choose-platform';
import { networkFingerprint } from './network';
import { freePort } from '../support/ports';
import { youngGenerationFlag } from '../support/heap-flags';
import { isRunning, logFile, readRecord, writeRecord, type ServiceName, type ServiceRecord } from './record';

/** Starts of background processes. Call these only while holding the stack's lock. */

export interface Launch {
  readonly home: HomePaths;
  readonly env: Env;
  /** Ports that turned out to be in use. */
  readonly taken?: readonly number[];
}

const program = path.resolve(__dirname, '..', 'cli', 'main.js');

/** If set, the local platform is a workspace without storage API (`platform --no-storage-api`). */
export const noStorageApiVariable = 'EVALSAGA_NO_STORAGE_API';

export async function startTemporal(launch: Launch & { binary: string }): Promise<ServiceRecord> {
  const { home, env, binary, taken = [] } = launch;
  const before = await readRecord(home, 'temporal');
  const grpc = await freePort([before?.ports['grpc'], defaultPorts.grpc], taken);
  const ui = await freePort([before?.ports['ui'], defaultPorts.ui], [...taken, grpc]);
  const codec = encryptionOf(env).isOn ? await codecPort(home, [...taken, grpc, ui]) : undefined;
  return start({
    home,
    name: 'temporal',
    file: binary,
    args: devServerArguments({
      database: home.temporalDatabase,
      journal: journalFor(home.root),
      port: grpc,
      uiPort: ui,
      codecPort: codec,
    }),
    env: backgroundEnv({ env, isLocal: true }),
    ports: { grpc, ui, ...(codec === undefined ? {} : { codec }) },
    setup: binary,
    // The database is private.
    isPrivate: true,
  });
}

/** Returns the port of the codec server, which the Web UI needs to know before that server is started. */
async function codecPort(home: HomePaths, taken: readonly number[]): Promise<number> {
  const before = await readRecord(home, 'codec');
  const port = before?.ports['http'];
  return isRunning(before) && port !== undefined ? port : freePort([port], taken);
}

/** Returns the runtime of the local platform: `EVALSAGA_LOCAL_RUNTIME`, `process` (default) or `docker`. Throws for others. */
export function localRuntime(env: Env): 'process' | 'docker' {
  const wanted = env['EVALSAGA_LOCAL_RUNTIME'] || 'process';
  if (wanted === 'process' || wanted === 'docker') return wanted;
  throw new Error(`EVALSAGA_LOCAL_RUNTIME is "${wanted}": it can be process or docker.`);
}

export async function startPlatformService(launch: Launch & { setup: string }): Promise<ServiceRecord> {
  const { home, env, setup, taken } = launch;
  const before = await readRecord(home, 'platform');
  const http = await freePort([before?.ports['http']], taken);
  return start({
    home,
    name: 'platform',
    file: process.execPath,
    args: [
      ...[program, 'platform', `--port=${http}`, `--state=${home.platform}`, `--workspace=${localWorkspace}`],
      `--runtime=${localRuntime(env)}`,
    ],
    env: backgroundEnv({ env, extra: { EVALSAGA_HOME: home.root } }),
    ports: { http },
    setup,
  });
}

/** Starts the codec server for pages of the embedded server's Web UI. */
export async function startCodecService(
  launch: Launch & { readonly setup: string; readonly port: number; readonly uiPort: number },
): Promise<ServiceRecord> {
  const { home, env, setup, port, uiPort } = launch;
  const origins = ['127.0.0.1', 'localhost'].map((host) => `--origin=http://${host}:${uiPort}`);
  return start({
    home,
    name: 'codec',
    file: process.execPath,
    args: [program, 'codec-server', `--port=${port}`, ...origins],
    env: backgroundEnv({ env, isLocal: true, extra: { EVALSAGA_HOME: home.root, ...keyFileOf(env) } }),
    ports: { http: port },
    setup,
  });
}

/** The path is not secret, but only processes that handle payloads need it. */
const keyFileOf = (env: Env): Record<string, string> => {
  const file = env[keyFileVariable];
  return file ? { [keyFileVariable]: file } : {};
};

export interface WorkerLaunch extends Launch {
  readonly serves: NonNullable<ServiceRecord['serves']>;
  /** The id of the namespace in the server's database. */
  readonly namespaceId: string;
  readonly setup: string;
}

export async function startWorkerService(launch: WorkerLaunch): Promise<ServiceRecord> {
  const { home, env, serves, namespaceId, setup } = launch;
  const { address, taskQueue, isEmbedded: embedded } = serves;
  const extra = {
    EVALSAGA_HOME: home.root,
    EVALSAGA_TASK_QUEUE: taskQueue,
    [namespaceIdVariable]: namespaceId,
    ...keyFileOf(env),
    ...(embedded ? embeddedEnv(address) : {}),
    // The background worker follows the installed version; versioned workers are started by hand.
    EVALSAGA_DEPLOYMENT_NAME: '',
    EVALSAGA_BUILD_ID: '',
    // Each thread's own arena keeps what it has freed. Read by glibc only.
    MALLOC_ARENA_MAX: env['MALLOC_ARENA_MAX'] ?? '2',
  };
  return start({
    home,
    name: 'worker',
    file: process.execPath,
    args: [youngGenerationFlag, program, 'worker'],
    env: backgroundEnv({ env, keepTemporal: !embedded, extra }),
    ports: {},
    setup,
    serves,
  });
}

interface Start {
  readonly home: HomePaths;
  readonly name: ServiceName;
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly ports: Readonly<Record<string, number>>;
  readonly setup: string;
  readonly isPrivate?: boolean;
  readonly serves?: ServiceRecord['serves'];
}

async function start(service: Start): Promise<ServiceRecord> {
  const { home, name, file, args, env, ports, setup, isPrivate = false, serves } = service;
  const process = await startInBackground({ file, args, env, cwd: home.root, log: logFile(home, name), isPrivate });
  const record = {
    ...process,
    startedAt: new Date().toISOString(),
    ports,
    setup,
    serves,
    network: networkFingerprint(env),
  };
  await writeRecord(home, name, record);
  return record;
}
