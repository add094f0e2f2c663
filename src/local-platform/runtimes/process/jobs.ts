import { appendFile, mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { messageOf } from '../../../support/error-message';
import { readJsonFile, writePrivateJson } from '../../../support/atomic-file';
import type { JobObservation, LogOptions, RuntimeHost, RuntimeJob, RuntimeNote } from '../../runtime';
import { jobFolders, type JobPlan, type PlanJobOptions } from './job-plan';
import { StepRunner } from './step-runner';
import type { LogSegment } from '../../logs/log-segments';
import { readLog } from './log-file';
import { LogGrowthRecorder } from './log-growth';
import { limitsFor, type Limits } from './limits/rule';
import { describeEnd, lastLines, outOfMemoryNote } from './outcome';
import type { Units } from './units';

/** Time between SIGTERM and SIGKILL, for a marker and partial results to be written. */
const GRACE_PERIOD_MS = 10_000;

const outcomeSchema = z.object({
  state: z.string(),
  message: z.string().optional(),
  completedAt: z.number(),
  /** Size of the log in bytes when the job ended. */
  logSize: z.number().optional(),
});

interface JobEntry {
  readonly job: RuntimeJob;
  readonly folder: string;
  readonly unit: string;
  readonly log: string;
  readonly steps: StepRunner;
  readonly limits: Limits;
  observation: JobObservation;
  notes: readonly RuntimeNote[];
  /** Size of the log in bytes, set when the job is over: what an escaped process writes later doesn't belong to it. */
  logSize: number | undefined;
}

/** Plans how to start a job. Rejects with the reason if it can't run here. */
export type PlanJob = (options: Omit<PlanJobOptions, 'home' | 'served'> & { readonly id: string }) => Promise<JobPlan>;

/** Jobs as process groups on this machine. All submitted jobs run at the same time. */
export class ProcessJobs {
  readonly #host: RuntimeHost;
  readonly #units: Units;
  readonly #plan: PlanJob;
  readonly #folder: string;
  readonly #entries = new Map<string, JobEntry>();
  readonly #growth = new LogGrowthRecorder();

  constructor({ host, units, plan }: { host: RuntimeHost; units: Units; plan: PlanJob }) {
    this.#host = host;
    this.#units = units;
    this.#plan = plan;
    this.#folder = path.join(host.stateFolder, 'jobs');
  }

  /** Takes over a job that started before a restart of the platform; starts one that never ran. */
  async adopt(job: RuntimeJob): Promise<void> {
    const entry = this.#add(job);
    const outcome = outcomeSchema.safeParse(await readJsonFile(outcomeFile(entry)).catch(() => undefined));
    if (outcome.success) {
      const { state, message, completedAt, logSize } = outcome.data;
      await this.#growth.forget(entry.log);
      entry.logSize = logSize;
      entry.observation = { state, message, completedAt };
    } else if ((await this.#units.status(entry.unit)).kind === 'absent') this.#start(entry);
    else void entry.steps.run((signal) => this.#watch(entry, signal));
  }

  create(job: RuntimeJob): void {
    this.#start(this.#add(job));
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
    await entry.steps.run(async () => {
      await this.#units.end(entry.unit, GRACE_PERIOD_MS);
      await this.#conclude(entry, { state: 'Stopped', message: 'stopped on request', endedAt: Date.now() });
    });
  }

  async delete(id: string): Promise<void> {
    const entry = this.#entries.get(id);
    if (!entry) return;
    await this.stop(id);
    await entry.steps.stop();
    await this.#growth.forget(entry.log);
    await rm(entry.folder, { recursive: true, force: true });
    if (this.#entries.get(id) === entry) this.#entries.delete(id);
  }

  async detach(): Promise<void> {
    await Promise.all([...this.#entries.values()].map(({ steps }) => steps.stop()));
    await this.#growth.close();
  }

  async logSegments(id: string): Promise<LogSegment[]> {
    return this.#growth.segments(this.#entries.get(id)?.log ?? '');
  }

  log(id: string, options: LogOptions): AsyncIterable<Uint8Array> {
    const entry = this.#entries.get(id);
    const ended = (): boolean => !entry || this.#entries.get(id) !== entry || isOver(entry);
    const file = entry?.log ?? path.join(this.#folder, id, 'log');
    return readLog(file, { ...options, ended, end: () => entry?.logSize });
  }

  #add(job: RuntimeJob): JobEntry {
    const folder = path.join(this.#folder, job.id);
    const entry: JobEntry = {
      job,
      folder,
      unit: path.join(folder, 'unit'),
      log: path.join(folder, 'log'),
      steps: new StepRunner(async (error) => {
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

  #start(entry: JobEntry): void {
    entry.observation = { state: 'Queueing', message: 'preparing', completedAt: undefined };
    void entry.steps.run(async (signal) => {
      const folders = jobFolders(entry.folder);
      for (const folder of Object.values(folders)) await mkdir(folder, { recursive: true, mode: 0o700 });
      const plan = await this.#plan({
        id: entry.job.id,
        spec: entry.job.spec,
        host: this.#host,
        folder: entry.folder,
        report: (line) => this.#reportProgress(entry, line),
        signal,
      });
      if (plan.command.length === 0)
        throw new Error("The job has no container command, and the process runtime can't run images.");
      entry.observation = { state: 'Starting', message: undefined, completedAt: undefined };
      entry.notes = [{ type: 'Normal', reason: 'Limits', message: this.#units.describe(entry.limits) }];
      const group = await this.#units.launch({ folder: entry.unit, ...plan, log: entry.log }, entry.limits);
      await this.#watch(entry, signal, group);
    });
  }

  /** `launched` is the process group if it was just started; that of a job taken over is known only while it runs. */
  async #watch(entry: JobEntry, signal: AbortSignal, launched?: number): Promise<void> {
    const before = await this.#units.status(entry.unit);
    if (before.kind === 'running') entry.observation = { state: 'Running', message: undefined, completedAt: undefined };
    const end = await this.#units.waitForEnd(entry.unit, signal);
    const group = launched ?? (before.kind === 'running' ? before.pid : undefined);
    await this.#units.killRemaining(entry.unit, end.kind === 'ended' ? group : undefined);
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
   * Records the job's end. Processes that its command left running may have written to the log until just now, so the end
   * is set after the last line.
   */
  async #conclude(
    entry: JobEntry,
    end: { state: string; message: string | undefined; endedAt: number },
  ): Promise<void> {
    const last = await this.#growth.finish(entry.log);
    entry.logSize ??= last?.size;
    const completedAt = Math.max(end.endedAt, (last?.at ?? 0) + 1);
    const { state, message } = end;
    await writePrivateJson(outcomeFile(entry), { state, message, completedAt, logSize: entry.logSize });
    entry.observation = { state, message, completedAt };
  }

  #reportProgress(entry: JobEntry, line: string): void {
    entry.observation = { state: 'Queueing', message: line, completedAt: undefined };
    void appendFile(entry.log, `${line}\n`).catch(() => undefined);
  }
}

function isOver({ observation }: JobEntry): boolean {
  return ['Completed', 'Failed', 'Stopped'].includes(observation.state);
}

function outcomeFile(entry: JobEntry): string {
  return path.join(entry.folder, 'outcome.json');
}
