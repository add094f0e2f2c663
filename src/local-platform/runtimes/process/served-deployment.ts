import { appendFile, mkdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../../support/error-message';
import type {
  DeploymentObservation,
  DeploymentSpecBody,
  RuntimeDeployment,
  RuntimeHost,
  RuntimeNote,
} from '../../runtime';
import { within } from '../../../support/within';
import { Lifeline } from './lifeline';
import { limitsFor, type Limits } from './limits/rule';
import { describeEnd, lastLines, outOfMemoryNote, OWN_LINE, terminationOf } from './outcome';
import { readServerRecord, removeServerRecord, writeServerRecord, type ServerRecord } from './server-record';
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

/** Decides how to serve what a deployment asks for, and fetches what that needs. Rejects with what can be done instead. */
export type PlanServer = (options: Omit<PlanServerOptions, 'home'> & { readonly name: string }) => Promise<ServerPlan>;

/** What is served where, for the jobs that need its tokenizer. */
export interface ServedWeights {
  readonly url: string;
  readonly model: string;
  readonly weights: string;
}

export interface Surroundings {
  readonly host: RuntimeHost;
  readonly units: Units;
  readonly plan: PlanServer;
}

/**
 * One deployment: its server is brought up, followed, and taken down, one step after another. What a later platform must
 * know to take over is in the deployment's folder.
 */
export class ServedDeployment {
  readonly #name: string;
  readonly #spec: DeploymentSpecBody;
  readonly #around: Surroundings;
  readonly #limits: Limits;
  readonly #lifeline: Lifeline;
  #observation: DeploymentObservation = { state: 'Starting', url: undefined, readyReplicas: 0, message: undefined };
  #notes: readonly RuntimeNote[] = [];
  #record: ServerRecord | undefined;

  constructor(
    { name, spec }: RuntimeDeployment,
    /** The deployment's own. */
    readonly folder: string,
    around: Surroundings,
  ) {
    this.#name = name;
    this.#spec = spec;
    this.#around = around;
    this.#limits = limitsOf(spec);
    this.#lifeline = new Lifeline((error) => this.#fail(messageOf(error)));
  }

  get observation(): DeploymentObservation {
    return { ...this.#observation, notes: this.#notes };
  }

  get log(): string {
    return path.join(this.folder, 'log');
  }

  get isUp(): boolean {
    return this.#observation.state === 'Starting' || this.#observation.state === 'Ready';
  }

  /** `undefined` while nothing is served, and for a server of the deployment's own. */
  get served(): ServedWeights | undefined {
    const { url } = this.#observation;
    const { weights, servedModel } = this.#record ?? {};
    return url && weights && servedModel ? { url, model: servedModel, weights } : undefined;
  }

  /** Takes over what runs since before; starts what never ran. */
  async adopt(): Promise<void> {
    this.#record = await readServerRecord(this.folder);
    const status: UnitStatus = this.#record
      ? await this.#around.units.status(this.#unitFolder(this.#record))
      : { kind: 'absent' };
    if (!this.#wantsReplicas) return this.takeDown();
    if (status.kind === 'absent') return this.bringUp();
    void this.#lifeline.next((signal) => this.#watch(signal));
  }

  start(): void {
    if (this.#wantsReplicas) this.bringUp();
    else this.#observe('Stopped');
  }

  scale(minReplicas: number): void {
    const { state } = this.#observation;
    if (minReplicas === 0) void this.takeDown();
    else if (state === 'Stopped' || state === 'Stopping') this.bringUp();
  }

  /** A server that runs ends first. */
  bringUp(): void {
    this.#observe('Starting', 'preparing');
    void this.#lifeline.next(async (signal) => {
      await this.#endServer();
      await mkdir(this.folder, { recursive: true, mode: 0o700 });
      const plan = await this.#prepare(signal);
      const { command, env } = plan;
      const folder = plan.unitFolder;
      const unit = { folder, command, env, cwd: this.folder, log: this.log };
      const group = await this.#around.units.launch(unit, this.#limits);
      this.#observe('Starting', 'the server is loading');
      await this.#watch(signal, group);
    });
  }

  /** Resolves when nothing of its server runs any more. */
  takeDown(): Promise<void> {
    this.#observe('Stopping');
    return this.#lifeline.next(async () => {
      await this.#endServer();
      this.#observe('Stopped');
    });
  }

  /** Follows no more; the server goes on. */
  detach(): Promise<void> {
    return this.#lifeline.stop();
  }

  /** Told by the model server, in a file; a server of the deployment's own tells nobody. */
  async lastRequestAt(): Promise<number | undefined> {
    if (!this.#record) return undefined;
    const told = await stat(path.join(this.#unitFolder(this.#record), trafficFile)).catch(() => undefined);
    return told?.mtimeMs;
  }

  /** Writes down what is about to run, before it does. */
  async #prepare(signal: AbortSignal): Promise<ServerPlan & { readonly unitFolder: string }> {
    const unit = `unit-${Date.now()}`;
    const unitFolder = path.join(this.folder, unit);
    const plan = await this.#around.plan({
      name: this.#name,
      spec: this.#spec,
      host: this.#around.host,
      portFile: path.join(unitFolder, 'port'),
      trafficFile: path.join(unitFolder, trafficFile),
      report: (line) => this.#progress(line),
      signal,
    });
    const { port, weights, servedModel } = plan;
    this.#record = { unit, port, weights, servedModel };
    await writeServerRecord(this.folder, this.#record);
    await this.#tellNotes(plan.notes);
    return { ...plan, unitFolder };
  }

  /** Follows the running unit: not Ready, Ready, over. `launched`: its group, when it was started just now. */
  async #watch(signal: AbortSignal, launched?: number): Promise<void> {
    if (!this.#record) return;
    const { units } = this.#around;
    const folder = this.#unitFolder(this.#record);
    const before = await units.status(folder);
    const over = new AbortController();
    const ready = this.#awaitReady(folder, AbortSignal.any([signal, over.signal]));
    ready.catch(() => undefined);
    const end = await units.ended(folder, signal).finally(() => over.abort());
    const group = launched ?? (before.kind === 'running' ? before.pid : undefined);
    await units.sweep(folder, end.kind === 'ended' ? group : undefined);
    const tail = await lastLines(this.log, LOG_LINES_TOLD);
    this.#fail(`The server ended by itself: ${describeEnd(end)}.${tail ? ` Its last words: ${tail}` : ''}`);
    this.#observation = { ...this.#observation, termination: terminationOf(end, Date.now()) };
    const note = outOfMemoryNote(end, units.describe(this.#limits));
    if (note) this.#notes = [...this.#notes, note];
  }

  async #awaitReady(folder: string, signal: AbortSignal): Promise<void> {
    const [token] = bearerTokens(this.#spec, this.#around.host);
    for (; ; await sleep(READY_POLL_MS, undefined, { signal })) {
      const port = this.#record?.port ?? Number(await readFile(path.join(folder, 'port'), 'utf8').catch(() => 0));
      if (!port) continue;
      const url = `http://127.0.0.1:${port}`;
      if (!(await answers(`${url}/health`, token, signal))) continue;
      signal.throwIfAborted();
      this.#observation = { state: 'Ready', url, readyReplicas: 1, message: undefined };
      return;
    }
  }

  #observe(state: DeploymentObservation['state'], message?: string): void {
    this.#observation = { state, url: undefined, readyReplicas: 0, message };
  }

  #fail(message: string): void {
    this.#around.host.log('deployment failed', { deployment: this.#name, message });
    this.#observe('Error', message);
  }

  #progress(line: string): void {
    this.#observe('Starting', line);
    void appendFile(this.log, `${line}\n`).catch(() => undefined);
  }

  /** What is done otherwise than on the service, and how the unit is limited: in the log and as events. */
  async #tellNotes(notes: readonly RuntimeNote[]): Promise<void> {
    const message = this.#around.units.describe(this.#limits);
    const told: readonly RuntimeNote[] = [...notes, { type: 'Normal', reason: 'Limits', message }];
    this.#notes = [...this.#notes, ...told];
    await appendFile(this.log, told.map((note) => `${OWN_LINE}${note.message}\n`).join(''));
  }

  async #endServer(): Promise<void> {
    if (this.#record) await this.#around.units.end(this.#unitFolder(this.#record), GRACE_MS);
    await removeServerRecord(this.folder);
    this.#record = undefined;
  }

  get #wantsReplicas(): boolean {
    return (this.#spec.resource_requirement?.min_replicas ?? 1) > 0;
  }

  #unitFolder({ unit }: ServerRecord): string {
    return path.join(this.folder, unit);
  }
}

function limitsOf({ resource_requirement: resources }: DeploymentSpecBody): Limits {
  return limitsFor({ shape: resources?.resource_shape, cpu: resources?.cpu, memory: resources?.memory });
}

/** Any answer but a server error: what the server says to whom is not for this to judge. */
async function answers(url: string, token: string | undefined, signal: AbortSignal): Promise<boolean> {
  try {
    const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {};
    return await within({ ms: PROBE_TIMEOUT_MS, signal }, async (bounded) => {
      const response = await fetch(url, { headers, signal: bounded });
      await response.body?.cancel();
      return response.status < 500;
    });
  } catch {
    return false;
  }
}
