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
import { isHealthy } from './health';
import { StepRunner } from './step-runner';
import { limitsFor, type Limits } from './limits/rule';
import { describeEnd, lastLines, outOfMemoryNote, PLATFORM_LINE_PREFIX, terminationOf } from './outcome';
import { readServerRecord, removeServerRecord, writeServerRecord, type ServerRecord } from './server-record';
import { bearerTokens, type PlanServerOptions, type ServerPlan } from './servers';
import type { UnitStatus } from './unit';
import type { Units } from './units';

/** Time between SIGTERM and SIGKILL. */
const GRACE_PERIOD_MS = 10_000;
const READY_POLL_MS = 250;
const QUOTED_LOG_LINES = 3;
/** File in the unit's folder whose modification time is that of the last request. */
const trafficFile = 'traffic';

/** Plans how to serve a deployment, and fetches what that needs. Rejects with what can be done instead. */
export type PlanServer = (options: Omit<PlanServerOptions, 'home'> & { readonly name: string }) => Promise<ServerPlan>;

/** Weights and where they are served, for jobs that need their tokenizer. */
export interface ServedWeights {
  readonly url: string;
  readonly model: string;
  readonly weights: string;
}

export interface DeploymentDependencies {
  readonly host: RuntimeHost;
  readonly units: Units;
  readonly plan: PlanServer;
}

/**
 * One deployment: brings its server up, follows it, and takes it down, one step after another. The deployment's folder
 * holds what the next platform process needs to take over.
 */
export class ServedDeployment {
  readonly #name: string;
  readonly #spec: DeploymentSpecBody;
  readonly #dependencies: DeploymentDependencies;
  readonly #limits: Limits;
  readonly #steps: StepRunner;
  #observation: DeploymentObservation = { state: 'Starting', url: undefined, readyReplicas: 0, message: undefined };
  #notes: readonly RuntimeNote[] = [];
  #record: ServerRecord | undefined;

  constructor(
    { name, spec }: RuntimeDeployment,
    /** The deployment's own folder. */
    readonly folder: string,
    dependencies: DeploymentDependencies,
  ) {
    this.#name = name;
    this.#spec = spec;
    this.#dependencies = dependencies;
    this.#limits = limitsOf(spec);
    this.#steps = new StepRunner((error) => this.#fail(messageOf(error)));
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

  /** `undefined` while nothing is served, and if the deployment runs its own server. */
  get servedWeights(): ServedWeights | undefined {
    const { url } = this.#observation;
    const { weights, servedModel } = this.#record ?? {};
    return url && weights && servedModel ? { url, model: servedModel, weights } : undefined;
  }

  /** Takes over a server that runs since before a restart; starts one that never ran. */
  async adopt(): Promise<void> {
    this.#record = await readServerRecord(this.folder);
    const status: UnitStatus = this.#record
      ? await this.#dependencies.units.status(this.#unitFolder(this.#record))
      : { kind: 'absent' };
    if (!this.#wantsReplicas) return this.takeDown();
    if (status.kind === 'absent') return this.bringUp();
    void this.#steps.run((signal) => this.#watch(signal));
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

  /** Starts the server, after ending one that runs. */
  bringUp(): void {
    this.#observe('Starting', 'preparing');
    void this.#steps.run(async (signal) => {
      await this.#endServer();
      await mkdir(this.folder, { recursive: true, mode: 0o700 });
      const plan = await this.#prepare(signal);
      const { command, env } = plan;
      const folder = plan.unitFolder;
      const unit = { folder, command, env, cwd: this.folder, log: this.log };
      const group = await this.#dependencies.units.launch(unit, this.#limits);
      this.#observe('Starting', 'the server is loading');
      await this.#watch(signal, group);
    });
  }

  /** Ends the server; resolves when none of its processes runs any more. */
  takeDown(): Promise<void> {
    this.#observe('Stopping');
    return this.#steps.run(async () => {
      await this.#endServer();
      this.#observe('Stopped');
    });
  }

  /** Stops following the server, which keeps running. */
  detach(): Promise<void> {
    return this.#steps.stop();
  }

  /** Returns the time of the last request. Only the model server reports it, in a file; otherwise `undefined`. */
  async lastRequestAt(): Promise<number | undefined> {
    if (!this.#record) return undefined;
    const traffic = await stat(path.join(this.#unitFolder(this.#record), trafficFile)).catch(() => undefined);
    return traffic?.mtimeMs;
  }

  /** Plans the server, and records it before it is started. */
  async #prepare(signal: AbortSignal): Promise<ServerPlan & { readonly unitFolder: string }> {
    const unit = `unit-${Date.now()}`;
    const unitFolder = path.join(this.folder, unit);
    const plan = await this.#dependencies.plan({
      name: this.#name,
      spec: this.#spec,
      host: this.#dependencies.host,
      portFile: path.join(unitFolder, 'port'),
      trafficFile: path.join(unitFolder, trafficFile),
      report: (line) => this.#reportProgress(line),
      signal,
    });
    const { port, weights, servedModel } = plan;
    this.#record = { unit, port, weights, servedModel };
    await writeServerRecord(this.folder, this.#record);
    await this.#reportNotes(plan.notes);
    return { ...plan, unitFolder };
  }

  /** Follows the running unit until it ends. `launched` is its process group if it was just started. */
  async #watch(signal: AbortSignal, launched?: number): Promise<void> {
    if (!this.#record) return;
    const { units } = this.#dependencies;
    const folder = this.#unitFolder(this.#record);
    const before = await units.status(folder);
    const ended = new AbortController();
    const ready = this.#awaitReady(folder, AbortSignal.any([signal, ended.signal]));
    ready.catch(() => undefined);
    const end = await units.waitForEnd(folder, signal).finally(() => ended.abort());
    const group = launched ?? (before.kind === 'running' ? before.pid : undefined);
    await units.killRemaining(folder, end.kind === 'ended' ? group : undefined);
    const tail = await lastLines(this.log, QUOTED_LOG_LINES);
    this.#fail(`The server ended by itself: ${describeEnd(end)}.${tail ? ` Its last words: ${tail}` : ''}`);
    this.#observation = { ...this.#observation, termination: terminationOf(end, Date.now()) };
    const note = outOfMemoryNote(end, units.describe(this.#limits));
    if (note) this.#notes = [...this.#notes, note];
  }

  async #awaitReady(folder: string, signal: AbortSignal): Promise<void> {
    const [token] = bearerTokens(this.#spec, this.#dependencies.host);
    for (; ; await sleep(READY_POLL_MS, undefined, { signal })) {
      const port = this.#record?.port ?? Number(await readFile(path.join(folder, 'port'), 'utf8').catch(() => 0));
      if (!port) continue;
      const url = `http://127.0.0.1:${port}`;
      if (this.#observation.url === undefined) this.#observation = { ...this.#observation, url };
      if (!(await isHealthy(`${url}/health`, token, signal))) continue;
      signal.throwIfAborted();
      this.#observation = { state: 'Ready', url, readyReplicas: 1, message: undefined };
      return;
    }
  }

  #observe(state: DeploymentObservation['state'], message?: string): void {
    this.#observation = { state, url: undefined, readyReplicas: 0, message };
  }

  #fail(message: string): void {
    this.#dependencies.host.log('deployment failed', { deployment: this.#name, message });
    this.#observe('Error', message);
  }

  #reportProgress(line: string): void {
    this.#observe('Starting', line);
    void appendFile(this.log, `${line}\n`).catch(() => undefined);
  }

  /** Reports in the log and as events what differs from the service, and how the unit is limited. */
  async #reportNotes(notes: readonly RuntimeNote[]): Promise<void> {
    const message = this.#dependencies.units.describe(this.#limits);
    const reported: readonly RuntimeNote[] = [...notes, { type: 'Normal', reason: 'Limits', message }];
    this.#notes = [...this.#notes, ...reported];
    await appendFile(this.log, reported.map((note) => `${PLATFORM_LINE_PREFIX}${note.message}\n`).join(''));
  }

  async #endServer(): Promise<void> {
    if (this.#record) await this.#dependencies.units.end(this.#unitFolder(this.#record), GRACE_PERIOD_MS);
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
