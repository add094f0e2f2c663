import path from 'node:path';
import type { Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { HomePaths } from '../home/paths';
import { newToken, portOf, readAccess, writeAccess } from './access';
import { createApp, workspacePath } from './app';
import { Faults, type FaultRule } from './faults/faults';
import { RequestLog } from './faults/request-log';
import { closeServer, listenOnLoopback, serverFor } from '../support/listen';
import type { Runtime, RuntimeHost } from './runtime';
import { LogArchive } from './logs/log-archive';
import { loadPlan, type Plan } from './runtimes/simulated/plan';
import { createSimulatedRuntime } from './runtimes/simulated/index';
import { lockFolder, type FolderLock } from './state/folder-lock';
import { openState, type PlatformState } from './state/records';
import { claimStateFolder } from './state/runtime-claim';
import { FileSystems } from './storage/file-systems';
import { CreatedFolders } from './storage/created-folders';
import type { WorkspaceContext } from './workspace/context';
import { NodeGroups } from './workspace/node-groups';
import { openWorkspace, type Workspace } from './workspace/workspace';

export type PlatformLog = (message: string, fields?: Record<string, unknown>) => void;

export interface PlatformOptions {
  readonly runtime: Runtime['kind'];
  /** Plan file of the simulated runtime. Default: everything succeeds within about a second. */
  readonly plan?: string | undefined;
  /** 0 means the port of the last start if it is free, else any free port. */
  readonly port: number;
  readonly home: HomePaths;
  /** Default: `<home>/platform-simulated` for `simulated`, else `home.platform`. */
  readonly stateFolder?: string | undefined;
  /** Workspace id, part of the URL. Default `local`. */
  readonly workspace?: string | undefined;
  /** Default: the token of the last start, else a random one. */
  readonly token?: string | undefined;
  /** `new` turns on `features.enable_new_deployment_api` and serves `/endpoints`. Default `classic`. */
  readonly dialect?: 'classic' | 'new' | undefined;
  /** `false` leaves `/storage` out of the API; jobs can still mount storage. Default `true`. */
  readonly storageApi?: boolean | undefined;
  /** `true` turns on `features.enable_secure_endpoint_defaults`; `POST /__sim/workspace` changes it. Default `false`. */
  readonly secureEndpoints?: boolean | undefined;
  readonly log?: PlatformLog | undefined;
}

export interface RunningPlatform {
  /** Ends in `/api/v2/workspaces/<workspace>`. */
  readonly url: string;
  readonly workspace: string;
  readonly token: string;
  readonly port: number;
  /** Stops answering and detaches from running work without ending it; the next start on the same state resumes it. */
  close(): Promise<void>;
}

/** How many requests `/__sim/requests` keeps. Bounded where real work runs for days. */
const maxLoggedRequests = { simulated: Infinity, process: 10_000, docker: 10_000 };

/**
 * Starts the local platform on 127.0.0.1: the HTTP API of a Lepton workspace, backed by a runtime. Rejects if the plan
 * is invalid, if another platform uses the state folder, or if the port is taken.
 */
export async function startPlatform(options: PlatformOptions): Promise<RunningPlatform> {
  const { runtime: kind, home } = options;
  const workspace = options.workspace ?? 'local';
  if (!/^[A-Za-z0-9][A-Za-z0-9-]{0,62}$/.test(workspace)) {
    throw new Error(`"${workspace}" is not a workspace id: letters, digits and "-" only`);
  }
  const plan = await loadPlan(kind === 'simulated' ? options.plan : undefined);
  const fallback = kind === 'simulated' ? path.join(home.root, 'platform-simulated') : home.platform;
  const stateFolder = path.resolve(options.stateFolder ?? fallback);
  const lock = await lockFolder(stateFolder);
  try {
    return await startLocked({ options, workspace, plan, stateFolder, lock });
  } catch (error) {
    await lock.release();
    throw error;
  }
}

interface Start {
  readonly options: PlatformOptions;
  readonly workspace: string;
  readonly plan: Plan;
  readonly stateFolder: string;
  readonly lock: FolderLock;
}

async function startLocked({ options, workspace: name, plan, stateFolder, lock }: Start): Promise<RunningPlatform> {
  const log = options.log ?? (() => undefined);
  const earlier = await readAccess(stateFolder);
  const token = options.token ?? earlier?.token ?? newToken();
  const core = await openCore({ options, name, plan, stateFolder, log });
  let port = 0;
  const app = createApp({
    workspace: core.workspace,
    token,
    faults: new Faults(plan.faults satisfies readonly FaultRule[]),
    requests: new RequestLog(maxLoggedRequests[options.runtime]),
    closing: core.closing.signal,
    storageApi: options.storageApi ?? true,
    port: () => port,
    log,
  });
  const server = serverFor(app);
  try {
    const wanted = options.port === 0 ? [portOf(earlier) ?? 0, 0] : [options.port];
    port = await listenOnLoopback(server, wanted);
    const url = `http://127.0.0.1:${port}${workspacePath(name)}`;
    await writeAccess(stateFolder, { url, workspace: name, token });
    await lock.announce(url);
    const limits = core.runtime.limits();
    log('the local platform answers', {
      ...{ url, runtime: options.runtime, state: stateFolder },
      ...(limits === undefined ? {} : { limits }),
    });
    return { url, workspace: name, token, port, close: once(() => shutDown({ server, core, lock })) };
  } catch (error) {
    await shutDown({ server, core, lock });
    throw error;
  }
}

interface Core {
  readonly workspace: Workspace;
  readonly runtime: Runtime;
  readonly closing: AbortController;
  /** Resolves when background work has ended and every write is on disk. */
  settled(): Promise<void>;
}

async function openCore(parts: {
  readonly options: PlatformOptions;
  readonly name: string;
  readonly plan: Plan;
  readonly stateFolder: string;
  readonly log: PlatformLog;
}): Promise<Core> {
  const { options, name, plan, stateFolder, log } = parts;
  const state = await openState(stateFolder, Date.now);
  await claimStateFolder(options.runtime, { stateFolder, state });
  const closing = new AbortController();
  const inUse: { mounts: WorkspaceMounts } = { mounts: () => [] };
  const storage = new FileSystems({
    root: path.join(stateFolder, 'storage'),
    uploads: path.join(stateFolder, 'uploads'),
    createdFolders: await CreatedFolders.open(path.join(stateFolder, 'folders.json')),
    mountsInUse: () => inUse.mounts(),
    keepsParents: plan.storage.keeps_parents,
  });
  await storage.prepare();
  const runtime = await createRuntime(options, plan, {
    stateFolder: path.join(stateFolder, 'runtime'),
    mountFolder: (mount) => storage.mountFolder(mount),
    secret: (secret) => state.secrets.get(secret)?.value,
    log,
  });
  const background = new Set<Promise<unknown>>();
  const context: WorkspaceContext = {
    state,
    runtime,
    archivedLogs: new LogArchive(path.join(stateFolder, 'archived-logs')),
    flags: { secureEndpoints: options.secureEndpoints ?? false },
    now: Date.now,
    log,
    closing: closing.signal,
    background: (work) => track(background, work, log),
    releaseMounts: (mounts) => storage.releaseMounts(mounts),
  };
  const nodeGroups = await NodeGroups.open(state);
  const workspace = await openWorkspace(context, { name, newDialect: options.dialect === 'new', nodeGroups, storage });
  inUse.mounts = () => [...workspace.deployments.mounts(), ...workspace.jobs.mounts()];
  return { workspace, runtime, closing, settled: () => settle(background, state) };
}

type WorkspaceMounts = () => ReturnType<Workspace['deployments']['mounts']>;

async function createRuntime(options: PlatformOptions, plan: Plan, host: RuntimeHost): Promise<Runtime> {
  if (options.runtime === 'simulated') return createSimulatedRuntime(host, { plan });
  if (options.runtime === 'docker') {
    const { createDockerRuntime } = await import('./runtimes/docker/index.js');
    return createDockerRuntime(host);
  }
  // Loaded on demand: it pulls in the provisioning of model servers and Python environments.
  const { createProcessRuntime } = await import('./runtimes/process/index.js');
  return createProcessRuntime(host, { home: options.home });
}

function track(running: Set<Promise<unknown>>, work: Promise<unknown>, log: PlatformLog): void {
  const watched = work
    .catch((error: unknown) => log('background work failed', { error: String(error) }))
    .finally(() => running.delete(watched));
  running.add(watched);
}

async function settle(background: ReadonlySet<Promise<unknown>>, state: PlatformState): Promise<void> {
  await Promise.allSettled(background);
  await Promise.all([state.deployments, state.jobs, state.secrets, state.nodeGroups].map((folder) => folder.settled()));
}

/** How long closing waits for deletions in progress; the next start resumes those that remain. */
const shutdownTimeoutMs = 1_000;

async function shutDown({ server, core, lock }: { server: Server; core: Core; lock: FolderLock }): Promise<void> {
  core.closing.abort();
  if (server.listening) await closeServer(server);
  await core.runtime.detach();
  const timeout = new AbortController();
  await Promise.race([
    core.settled(),
    sleep(shutdownTimeoutMs, undefined, { signal: timeout.signal }).catch(() => undefined),
  ]);
  timeout.abort();
  await lock.release();
}

function once(close: () => Promise<void>): () => Promise<void> {
  let closing: Promise<void> | undefined;
  return () => (closing ??= close());
}
