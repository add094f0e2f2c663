import { appendFile, mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { messageOf } from '../../../support/error-message';
import { readJsonFile, writePrivateJson } from '../../../support/atomic-file';
import type { JobObservation, LogOptions, RuntimeHost, RuntimeJob, RuntimeNote } from '../../runtime';
import { jobFolders, type JobPlan, type PlanJobOptions } from './job-plan';
import { Lifeline } from './lifeline';
import type { LogMark } from '../../logs/log-marks';
import { readLog } from './log-file';
import { LogGrowth } from './log-growth';
import { limitsFor, type Limits } from './limits/rule';
import { describeEnd, lastLines, outOfMemoryNote } from './outcome';
import type { Units } from './units';

/** Between SIGTERM and SIGKILL: time to leave a marker and partial results. */
const GRACE_MS = 10_000;

const outcomeSchema = z.object({
  state: z.string(),
  message: z.string().optional(),
  completedAt: z.number(),
  /** Bytes of the log at the end. */
  logSize: z.number().optional(),
});

interface Entry {
  readonly job: RuntimeJob;
  readonly folder: string;
  readonly unit: string;
  readonly log: string;
  readonly lifeline: Lifeline;
  readonly limits: Limits;
  observation: JobObservation;
  notes: readonly RuntimeNote[];
  /** Bytes of the log, once the job is over: what a process that escaped writes later is not the job's. */
  logSize: number | undefined;
}

/** Makes a job ready to be started. Rejects with the reason when it can't run here. */
export type PlanJob = (options: Omit<PlanJobOptions, 'home' | 'served'> & { readonly id: string }) => Promise<JobPlan>;

/** Jobs as process groups on this machine. All that are submitted run at the same time. */
export class ProcessJobs {
  readonly #host: RuntimeHost;
  readonly #units: Units;
  readonly #plan: PlanJob;
  readonly #folder: string;
  readonly #entries = new Map<string, Entry>();
  readonly #growth = new LogGrowth();

  constructor({ host, units, plan }: { host: RuntimeHost; units: Units; plan: PlanJob }) {
    this.#host = host;
    this.#units = units;
    this.#plan = plan;
    this.#folder = path.join(host.stateFolder, 'jobs');
  }

  /** Takes over what runs or ended since before; starts what never ran. */
  async adopt(job: RuntimeJob): Promise<void> {
    const entry = this.#add(job);
    const outcome = outcomeSchema.safeParse(await readJsonFile(outcomeFile(entry)).catch(() => undefined));
    if (outcome.success) {
      const { state, message, completedAt, logSize } = outcome.data;
      await this.#growth.forget(entry.log);
      entry.logSize = logSize;
      entry.observation = { state, message, completedAt };
    } else if ((await this.#units.status(entry.unit)).kind === 'absent') this.#begin(entry);
    else void entry.lifeline.next((signal) => this.#watch(entry, signal));
  }

  create(job: RuntimeJob): void {
    this.#begin(this.#add(job));
  }

  observe(id: string): JobObservation {
    const entry = this.#entries.get(id);
    if (!entry) return { state: 'Stopped', message: undefined, completedAt: undefined };
    return { ...entry.observation, notes: entry.notes };
  }

  async stop(id: string): Promise<void> {
    const entry = this.#entries.get(id);
    if (!entry || isOver(entry)) return;
    entry.observation = { state: 'Stopping', message: undefined, completedAt: undefined };
    await entry.lifeline.next(async () => {
      await this.#units.end(entry.unit, GRACE_MS);
      await this.#conclude(entry, { state: 'Stopped', message: 'stopped on request', endedAt: Date.now() });
    });
  }

  async delete(id: string): Promise<void> {
    const entry = this.#entries.get(id);
    if (!entry) return;
    await this.stop(id);
    await entry.lifeline.stop();
    await this.#growth.forget(entry.log);
    await rm(entry.folder, { recursive: true, force: true });
    if (this.#entries.get(id) === entry) this.#entries.delete(id);
  }

  async detach(): Promise<void> {
    await Promise.all([...this.#entries.values()].map(({ lifeline }) => lifeline.stop()));
    await this.#growth.close();
  }

  /** When the log grew. */
  async logMarks(id: string): Promise<LogMark[]> {
    return this.#growth.marks(this.#entries.get(id)?.log ?? '');
  }

  log(id: string, options: LogOptions): AsyncIterable<Uint8Array> {
    const entry = this.#entries.get(id);
    const ended = (): boolean => !entry || this.#entries.get(id) !== entry || isOver(entry);
    const file = entry?.log ?? path.join(this.#folder, id, 'log');
    return readLog(file, { ...options, ended, end: () => entry?.logSize });
  }

  #add(job: RuntimeJob): Entry {
    const folder = path.join(this.#folder, job.id);
    const entry: Entry = {
      job,
      folder,
      unit: path.join(folder, 'unit'),
      log: path.join(folder, 'log'),
      lifeline: new Lifeline(async (error) => {
        const message = messageOf(error);
        this.#host.log('job failed', { job: job.id, message });
        await appendFile(entry.log, `${message}\n`).catch(() => undefined);
        await this.#conclude(entry, { state: 'Failed', message, endedAt: Date.now() });
      }),
      limits: limitsFor({ shape: job.spec.resource_shape }),
      observation: { state: 'Queueing', message: undefined, completedAt: undefined },
      notes: [],
      logSize: undefined,
    };
    this.#entries.set(job.id, entry);
    this.#growth.watch(entry.log);
    return entry;
  }

  #begin(entry: Entry): void {
    entry.observation = { state: 'Queueing', message: 'preparing', completedAt: undefined };
    void entry.lifeline.next(async (signal) => {
      const folders = jobFolders(entry.folder);
      for (const folder of Object.values(folders)) await mkdir(folder, { recursive: true, mode: 0o700 });
      const plan = await this.#plan({
        id: entry.job.id,
        spec: entry.job.spec,
        host: this.#host,
        folder: entry.folder,
        report: (line) => this.#progress(entry, line),
        signal,
      });
      if (plan.command.length === 0) throw new Error('The job has no container command, and no images run here.');
      entry.observation = { state: 'Starting', message: undefined, completedAt: undefined };
      entry.notes = [{ type: 'Normal', reason: 'Limits', message: this.#units.describe(entry.limits) }];
      const group = await this.#units.launch({ folder: entry.unit, ...plan, log: entry.log }, entry.limits);
      await this.#watch(entry, signal, group);
    });
  }

  /** `launched`: the group that was started just now; one taken over from an earlier platform is known only while it runs. */
  async #watch(entry: Entry, signal: AbortSignal, launched?: number): Promise<void> {
    const before = await this.#units.status(entry.unit);
    if (before.kind === 'running') entry.observation = { state: 'Running', message: undefined, completedAt: undefined };
    const end = await this.#units.ended(entry.unit, signal);
    const group = launched ?? (before.kind === 'running' ? before.pid : undefined);
    await this.#units.sweep(entry.unit, end.kind === 'ended' ? group : undefined);
    const note = outOfMemoryNote(end, this.#units.describe(entry.limits));
    if (note) entry.notes = [...entry.notes, note];
    const endedAt = end.kind === 'ended' ? Math.round(end.at) : Date.now();
    if (end.kind === 'ended' && end.code === 0)
      return this.#conclude(entry, { state: 'Completed', message: undefined, endedAt });
    const tail = await lastLines(entry.log, 1);
    const message = `${describeEnd(end)}${tail ? `: ${tail}` : ''}`;
    return this.#conclude(entry, { state: 'Failed', message, endedAt });
  }

  /**
   * The job is over, and with it its log. What its command left running may have written until just now: a job ends after
   * the last line of its log.
   */
  async #conclude(entry: Entry, end: { state: string; message: string | undefined; endedAt: number }): Promise<void> {
    const last = await this.#growth.finish(entry.log);
    entry.logSize ??= last?.size;
    const completedAt = Math.max(end.endedAt, (last?.at ?? 0) + 1);
    const { state, message } = end;
    await writePrivateJson(outcomeFile(entry), { state, message, completedAt, logSize: entry.logSize });
    entry.observation = { state, message, completedAt };
  }

  #progress(entry: Entry, line: string): void {
    entry.observation = { state: 'Queueing', message: line, completedAt: undefined };
    void appendFile(entry.log, `${line}\n`).catch(() => undefined);
  }
}

function isOver({ observation }: Entry): boolean {
  return ['Completed', 'Failed', 'Stopped'].includes(observation.state);
}

function outcomeFile(entry: Entry): string {
  return path.join(entry.folder, 'outcome.json');
}
