import { appendFile, mkdir, readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { readJsonFile, writePrivateJson } from '../../../home/private-file';
import type {
  DeploymentObservation,
  DeploymentSpecBody,
  LogOptions,
  RuntimeDeployment,
  RuntimeHost,
  RuntimeNote,
} from '../../runtime';
import { Lifeline } from './lifeline';
import type { LogMark } from '../../logs/log-marks';
import { readLog } from './log-file';
import { LogGrowth } from './log-growth';
import { limitsFor, type Limits } from './limits/rule';
import { describeEnd, lastLines, outOfMemoryNote, terminationOf } from './outcome';
import { bearerTokens, type PlanServerOptions, type ServerPlan } from './servers';
import type { UnitStatus } from './unit';
import type { Units } from './units';

/** Between SIGTERM and SIGKILL. */
const GRACE_MS = 10_000;
const READY_POLL_MS = 250;
const PROBE_TIMEOUT_MS = 5_000;
const LOG_LINES_TOLD = 3;
/** In the unit's folder; its time is that of the last request. */
const trafficFile = 'traffic';

const recordSchema = z.object({
  /** Name of the unit's folder. */
  unit: z.string(),
  port: z.number().optional(),
  weights: z.string().optional(),
  servedModel: z.string().optional(),
});
type ServerRecord = z.infer<typeof recordSchema>;

interface Entry {
  readonly name: string;
  readonly spec: DeploymentSpecBody;
  readonly folder: string;
  readonly log: string;
  readonly lifeline: Lifeline;
  readonly limits: Limits;
  observation: DeploymentObservation;
  notes: readonly RuntimeNote[];
  record: ServerRecord | undefined;
}

/** Decides how to serve what a deployment asks for, and fetches what that needs. Rejects with what can be done instead. */
export type PlanServer = (options: Omit<PlanServerOptions, 'home'> & { readonly name: string }) => Promise<ServerPlan>;

/** What is served where, for the jobs that need its tokenizer. */
export interface ServedWeights {
  readonly url: string;
  readonly model: string;
  readonly weights: string;
}

/** Deployments as process groups on this machine, one replica each. */
export class ProcessDeployments {
  readonly #host: RuntimeHost;
  readonly #units: Units;
  readonly #plan: PlanServer;
  readonly #folder: string;
  readonly #entries = new Map<string, Entry>();
  readonly #growth = new LogGrowth();

  constructor({ host, units, plan }: { host: RuntimeHost; units: Units; plan: PlanServer }) {
    this.#host = host;
    this.#units = units;
    this.#plan = plan;
    this.#folder = path.join(host.stateFolder, 'deployments');
  }

  /** Takes over what runs since before; starts what never ran. */
  async adopt(deployment: RuntimeDeployment): Promise<void> {
    const entry = this.#add(deployment);
    const parsed = recordSchema.safeParse(await readJsonFile(recordFile(entry)).catch(() => undefined));
    entry.record = parsed.data;
    const status: UnitStatus = entry.record
      ? await this.#units.status(unitFolder(entry, entry.record))
      : { kind: 'absent' };
    if (!wantsReplicas(entry.spec)) return void (await this.#takeDown(entry));
    if (status.kind === 'absent') return this.#bringUp(entry);
    void entry.lifeline.next((signal) => this.#watch(entry, signal));
  }

  create(deployment: RuntimeDeployment): void {
    const entry = this.#add(deployment);
    if (wantsReplicas(entry.spec)) this.#bringUp(entry);
    else observe(entry, { state: 'Stopped', message: undefined });
  }

  observe(name: string): DeploymentObservation {
    const entry = this.#entries.get(name);
    if (!entry) return { state: 'Stopped', url: undefined, readyReplicas: 0, message: undefined };
    return { ...entry.observation, notes: entry.notes };
  }

  async delete(name: string): Promise<void> {
    const entry = this.#entries.get(name);
    if (!entry) return;
    await this.#takeDown(entry);
    await this.#growth.forget(entry.log);
    await rm(entry.folder, { recursive: true, force: true });
    if (this.#entries.get(name) === entry) this.#entries.delete(name);
  }

  scale(name: string, minReplicas: number): void {
    const entry = this.#entries.get(name);
    if (!entry) return;
    const stopped = entry.observation.state === 'Stopped' || entry.observation.state === 'Stopping';
    if (minReplicas === 0) void this.#takeDown(entry);
    else if (stopped) this.#bringUp(entry);
  }

  restart(name: string): void {
    const entry = this.#entries.get(name);
    if (!entry) return;
    this.#bringUp(entry);
  }

  async detach(): Promise<void> {
    await Promise.all([...this.#entries.values()].map(({ lifeline }) => lifeline.stop()));
    await this.#growth.close();
  }

  /** When the log grew. */
  async logMarks(name: string): Promise<LogMark[]> {
    return this.#growth.marks(this.#entries.get(name)?.log ?? '');
  }

  log(name: string, options: LogOptions): AsyncIterable<Uint8Array> {
    const entry = this.#entries.get(name);
    const file = entry?.log ?? path.join(this.#folder, name, 'log');
    const ended = (): boolean => this.#entries.get(name) !== entry || !isUp(entry?.observation.state);
    return readLog(file, { ...options, ended });
  }

  /** Told by the model server, in a file; a server of the deployment's own tells nobody. */
  async lastRequestAt(name: string): Promise<number | undefined> {
    const entry = this.#entries.get(name);
    if (!entry?.record) return undefined;
    const told = await stat(path.join(unitFolder(entry, entry.record), trafficFile)).catch(() => undefined);
    return told?.mtimeMs;
  }

  served(): ServedWeights[] {
    return [...this.#entries.values()].flatMap(({ observation: { url }, record }) =>
      url && record?.weights && record.servedModel ? [{ url, model: record.servedModel, weights: record.weights }] : [],
    );
  }

  #add({ name, spec }: RuntimeDeployment): Entry {
    const folder = path.join(this.#folder, name);
    const entry: Entry = {
      name,
      spec,
      folder,
      log: path.join(folder, 'log'),
      lifeline: new Lifeline((error) => {
        this.#fail(entry, error instanceof Error ? error.message : String(error));
      }),
      observation: { state: 'Starting', url: undefined, readyReplicas: 0, message: undefined },
      limits: limitsOf(spec),
      notes: [],
      record: undefined,
    };
    this.#entries.set(name, entry);
    this.#growth.watch(entry.log);
    return entry;
  }

  #bringUp(entry: Entry): void {
    observe(entry, { state: 'Starting', message: 'preparing' });
    void entry.lifeline.next(async (signal) => {
      await this.#endServer(entry);
      await mkdir(entry.folder, { recursive: true, mode: 0o700 });
      const unit = `unit-${Date.now()}`;
      const plan = await this.#plan({
        name: entry.name,
        spec: entry.spec,
        host: this.#host,
        portFile: path.join(entry.folder, unit, 'port'),
        trafficFile: path.join(entry.folder, unit, trafficFile),
        report: (line) => this.#progress(entry, line),
        signal,
      });
      const { port, weights, servedModel } = plan;
      entry.record = recordSchema.parse({ unit, port, weights, servedModel });
      await writePrivateJson(recordFile(entry), entry.record);
      const folder = unitFolder(entry, entry.record);
      await this.#tellNotes(entry, plan.notes);
      const { command, env } = plan;
      const group = await this.#units.launch({ folder, command, env, cwd: entry.folder, log: entry.log }, entry.limits);
      observe(entry, { state: 'Starting', message: 'the server is loading' });
      await this.#watch(entry, signal, group);
    });
  }

  /** Follows the running unit: not Ready, Ready, over. `launched`: its group, when it was started just now. */
  async #watch(entry: Entry, signal: AbortSignal, launched?: number): Promise<void> {
    if (!entry.record) return;
    const folder = unitFolder(entry, entry.record);
    const before = await this.#units.status(folder);
    const over = new AbortController();
    const ready = this.#awaitReady(entry, folder, AbortSignal.any([signal, over.signal]));
    ready.catch(() => undefined);
    const end = await this.#units.ended(folder, signal).finally(() => over.abort());
    const group = launched ?? (before.kind === 'running' ? before.pid : undefined);
    await this.#units.sweep(folder, end.kind === 'ended' ? group : undefined);
    const tail = await lastLines(entry.log, LOG_LINES_TOLD);
    const message = `The server ended by itself: ${describeEnd(end)}.${tail ? ` Its last words: ${tail}` : ''}`;
    this.#fail(entry, message);
    entry.observation = { ...entry.observation, termination: terminationOf(end, Date.now()) };
    const note = outOfMemoryNote(end, this.#units.describe(entry.limits));
    if (note) entry.notes = [...entry.notes, note];
  }

  #fail(entry: Entry, message: string): void {
    this.#host.log('deployment failed', { deployment: entry.name, message });
    observe(entry, { state: 'Error', message });
  }

  /** What is done otherwise than on the service, and how the unit is limited: in the log and as events. */
  async #tellNotes(entry: Entry, notes: readonly RuntimeNote[]): Promise<void> {
    const limits: RuntimeNote = { type: 'Normal', reason: 'Limits', message: this.#units.describe(entry.limits) };
    entry.notes = [...entry.notes, ...notes, limits];
    await appendFile(entry.log, [...notes, limits].map(({ message }) => `[local platform] ${message}\n`).join(''));
  }

  async #awaitReady(entry: Entry, folder: string, signal: AbortSignal): Promise<void> {
    const [token] = bearerTokens(entry.spec, this.#host);
    for (; ; await sleep(READY_POLL_MS, undefined, { signal })) {
      const port = entry.record?.port ?? Number(await readFile(path.join(folder, 'port'), 'utf8').catch(() => 0));
      if (!port) continue;
      const url = `http://127.0.0.1:${port}`;
      if (!(await answers(`${url}/health`, token, signal))) continue;
      signal.throwIfAborted();
      entry.observation = { state: 'Ready', url, readyReplicas: 1, message: undefined };
      return;
    }
  }

  #takeDown(entry: Entry): Promise<void> {
    observe(entry, { state: 'Stopping', message: undefined });
    return entry.lifeline.next(async () => {
      await this.#endServer(entry);
      observe(entry, { state: 'Stopped', message: undefined });
    });
  }

  #progress(entry: Entry, line: string): void {
    observe(entry, { state: 'Starting', message: line });
    void appendFile(entry.log, `${line}\n`).catch(() => undefined);
  }

  async #endServer(entry: Entry): Promise<void> {
    if (entry.record) await this.#units.end(unitFolder(entry, entry.record), GRACE_MS);
    await rm(recordFile(entry), { force: true });
    entry.record = undefined;
  }
}

function limitsOf({ resource_requirement: resources }: DeploymentSpecBody): Limits {
  return limitsFor({ shape: resources?.resource_shape, cpu: resources?.cpu, memory: resources?.memory });
}

/** Any answer but a server error: what the server says to whom is not for this to judge. */
async function answers(url: string, token: string | undefined, signal: AbortSignal): Promise<boolean> {
  try {
    const response = await fetch(url, {
      headers: token ? { authorization: `Bearer ${token}` } : {},
      signal: AbortSignal.any([signal, AbortSignal.timeout(PROBE_TIMEOUT_MS)]),
    });
    await response.body?.cancel();
    return response.status < 500;
  } catch {
    return false;
  }
}

function observe(entry: Entry, { state, message }: Pick<DeploymentObservation, 'state' | 'message'>): void {
  entry.observation = { state, url: undefined, readyReplicas: 0, message };
}

function isUp(state: string | undefined): boolean {
  return state === 'Starting' || state === 'Ready';
}

function wantsReplicas({ resource_requirement: resources }: DeploymentSpecBody): boolean {
  return (resources?.min_replicas ?? 1) > 0;
}

function recordFile(entry: Entry): string {
  return path.join(entry.folder, 'server.json');
}

function unitFolder(entry: Entry, record: ServerRecord): string {
  return path.join(entry.folder, record.unit);
}
