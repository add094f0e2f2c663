import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { conflict, invalid, notFound } from '../api-error';
import { numberAt, objectAt, type JsonObject } from '../json';
import type { LogSegment } from '../logs/log-segments';
import type { JobSpecBody, LogOptions, RuntimeJob, SpecMount } from '../runtime';
import type { JobRecord, JobStatus } from '../state/records';
import { archivedSpec } from './archived-spec';
import type { WorkspaceContext } from './context';
import { withNotes, withState } from './history';
import { isListed, type JobQueryMode } from './job-query-mode';
import { readPosted } from './posted-resource';
import { checkJobSpec } from './spec-rules';

export interface JobView {
  readonly record: JobRecord;
  readonly status: JobStatus;
}

export interface JobLog {
  open(options: LogOptions): AsyncIterable<Uint8Array>;
  /** Returns when the log grew, up to now. */
  segments(): Promise<readonly LogSegment[]>;
}

const finishedStates = new Set(['completed', 'failed', 'stopped']);
const retryMs = 2_000;
/** How many archived jobs are kept; the oldest are dropped first. */
const maxArchivedJobs = 1_000;

export const isFinished = (state: string): boolean => finishedStates.has(state.toLowerCase());

export const asJobSpec = (spec: JsonObject): JobSpecBody => spec;

export const runtimeJob = ({ id, name, spec }: JobRecord): RuntimeJob => ({ id, name, spec: asJobSpec(spec) });

export class Jobs {
  readonly #context: WorkspaceContext;
  readonly #archiving = new Set<string>();
  /** Ids that are visible, but not on disk yet and unknown to the runtime. */
  readonly #beingCreated = new Set<string>();

  constructor(context: WorkspaceContext) {
    this.#context = context;
  }

  /** Resumes deletions and stops that a kill interrupted. Called once, after the runtime has started. */
  resume(): void {
    const archived = this.#context.state.jobs.values().filter((record) => record.archived !== undefined);
    this.#context.background(this.#context.archivedLogs.retain(new Set(archived.map(({ id }) => id))));
    this.#context.background(this.#stripArchive(archived));
    for (const record of this.#context.state.jobs.values()) {
      if (record.archived !== undefined) continue;
      if (record.deletedAt !== undefined) this.#archiveInBackground(record.id, 'deleted');
      else if (record.spec['stopped'] === true && !isFinished(this.#view(record).status.state)) this.#stop(record.id);
    }
  }

  /** Removes the values of variables, which earlier versions archived. */
  async #stripArchive(archived: readonly JobRecord[]): Promise<void> {
    for (const record of archived) {
      const spec = archivedSpec(record.spec);
      if (JSON.stringify(spec) !== JSON.stringify(record.spec))
        await this.#context.state.jobs.put(record.id, { ...record, spec });
    }
  }

  /** Lists jobs in order of creation, so that pages do not shift while jobs are added. */
  list(mode: JobQueryMode): JobView[] {
    return this.#context.state.jobs
      .values()
      .filter((record) => isListed(record, mode))
      .sort((a, b) => a.createdAt - b.createdAt || a.id.localeCompare(b.id))
      .map((record) => this.#view(record));
  }

  /** Throws 404, also for a job that `mode` excludes. */
  get(id: string, mode: JobQueryMode = 'alive_and_archive'): JobView {
    const record = this.#context.state.jobs.get(id);
    if (record === undefined || !isListed(record, mode)) throw notFound(`job ${id} was not found`);
    return this.#view(record);
  }

  /** Returns whether the job has a log; a deleted job has none. */
  async hasLog({ record }: JobView): Promise<boolean> {
    return record.archived === undefined || this.#context.archivedLogs.has(record.id);
  }

  /** Returns access to the job's log. Throws 404 if it was deleted with the job. */
  async log({ record }: JobView): Promise<JobLog> {
    const { id, archived } = record;
    const { runtime, archivedLogs } = this.#context;
    if (archived === undefined)
      return { open: (options) => runtime.jobLog(id, options), segments: () => runtime.jobLogSegments(id) };
    if (!(await archivedLogs.has(id))) throw notFound(`the log of job ${id} was deleted with the job`);
    return { open: (options) => archivedLogs.open(id, options), segments: () => archivedLogs.segments(id) };
  }

  /** Returns the name of the job with this id, if there is one. */
  namesOf(id: string): string[] {
    const record = this.#context.state.jobs.get(id);
    return record === undefined ? [] : [record.name];
  }

  /** Throws 400. As on the service, several jobs may have the same name; their ids differ. */
  async create(posted: JsonObject): Promise<JobView> {
    const { name, metadata, spec } = readPosted('job', posted, checkJobSpec);
    const at = this.#context.now();
    const record: JobRecord = {
      id: this.#newId(name),
      name,
      metadata,
      spec,
      createdAt: at,
      version: 1,
      events: [{ at, type: 'Normal', reason: 'Created' }],
    };
    this.#beingCreated.add(record.id);
    try {
      await this.#context.state.jobs.put(record.id, record);
      this.#context.runtime.createJob(runtimeJob(record));
    } finally {
      this.#beingCreated.delete(record.id);
    }
    return this.#view(record);
  }

  /** Changes `spec.stopped`, the only mutable field: `true` ends the job, `false` runs a stopped job again. */
  async patch(id: string, patch: JsonObject): Promise<JobView> {
    const { record, status } = this.get(id, 'alive_only');
    if (record.deletedAt !== undefined) throw conflict(`job ${id} is being deleted`);
    const stopped = objectAt(patch, 'spec')['stopped'];
    if (typeof stopped !== 'boolean') throw invalid('no valid field to update: only spec.stopped of a job can change');
    await this.#context.state.jobs.put(id, {
      ...record,
      spec: { ...record.spec, stopped },
      version: record.version + 1,
    });
    if (stopped && !isFinished(status.state)) this.#stop(id);
    if (!stopped && status.state === 'Stopped') await this.#runAgain(id);
    return this.get(id);
  }

  /** Ends a job in the background, listed until it has ended; removes an archived job at once. */
  async delete(id: string, mode: JobQueryMode): Promise<void> {
    const { record } = this.get(id, mode);
    if (record.archived !== undefined) return this.#removeArchived(id);
    if (record.deletedAt !== undefined) return;
    await this.#context.state.jobs.put(id, { ...record, deletedAt: this.#context.now() });
    this.#archiveInBackground(id, 'deleted');
  }

  /** Records state changes in the histories and archives finished jobs whose ttl is over. Called periodically. */
  observe(): void {
    for (const view of this.list('alive_only')) {
      this.#recordEvents(view);
      const { record, status } = view;
      const ttl = numberAt(record.spec, 'ttl_seconds_after_finished');
      if (ttl === undefined || !isFinished(status.state) || status.completedAt === undefined) continue;
      if (this.#context.now() >= status.completedAt + ttl * 1000) this.#archiveInBackground(record.id, 'ttl');
    }
  }

  /** Ends the running jobs whose name matches the glob from outside; resolves to their number. Throws 400 if the runtime can't. */
  async end(name: string, by: string): Promise<number> {
    const { runtime } = this.#context;
    if (runtime.endJobs === undefined) throw invalid(`the runtime ${runtime.kind} can't end jobs from outside`);
    return runtime.endJobs(name, by);
  }

  mounts(): readonly SpecMount[] {
    const current = this.#context.state.jobs.values().filter((record) => record.archived === undefined);
    return current.flatMap((record) => asJobSpec(record.spec).mounts ?? []);
  }

  #recordEvents({ record, status }: JobView): void {
    const at = this.#context.now();
    const noted = withNotes(record.events, { at, notes: this.#context.runtime.observeJob(record.id).notes });
    const events = withState(noted, { at, state: status.state, message: status.message });
    if (events === record.events) return;
    this.#context.background(this.#context.state.jobs.put(record.id, { ...record, events: [...events] }));
  }

  #view(record: JobRecord): JobView {
    if (record.archived !== undefined) return { record, status: record.archived.status };
    if (this.#beingCreated.has(record.id)) return { record, status: { state: 'Queueing' } };
    const { state, message, completedAt } = this.#context.runtime.observeJob(record.id);
    const shown = record.deletedAt === undefined ? state : 'Deleting';
    return {
      record,
      status: {
        state: shown,
        ...(message === undefined ? {} : { message }),
        ...(completedAt === undefined ? {} : { completedAt }),
      },
    };
  }

  #newId(name: string): string {
    for (;;) {
      const id = `${name}-${randomInt(36 ** 4)
        .toString(36)
        .padStart(4, '0')}`;
      if (this.#context.state.jobs.get(id) === undefined) return id;
    }
  }

  #stop(id: string): void {
    this.#context.background(this.#context.runtime.stopJob(id));
  }

  async #runAgain(id: string): Promise<void> {
    await this.#context.runtime.deleteJob(id);
    const record = this.#context.state.jobs.get(id);
    if (record !== undefined) this.#context.runtime.createJob(runtimeJob(record));
  }

  #archiveInBackground(id: string, reason: 'deleted' | 'ttl'): void {
    if (this.#archiving.has(id)) return;
    this.#archiving.add(id);
    this.#context.background(this.#archive(id, reason).finally(() => this.#archiving.delete(id)));
  }

  async #archive(id: string, reason: 'deleted' | 'ttl'): Promise<void> {
    const { runtime, state, archivedLogs, closing } = this.#context;
    while (!closing.aborted) {
      try {
        const final = state.jobs.get(id);
        if (final === undefined) return;
        const { status } = this.#view(final);
        if (reason === 'ttl') await archivedLogs.keep(id, runtime, closing);
        await runtime.deleteJob(id);
        if (closing.aborted) return; // the next start repeats the deletion
        const record = state.jobs.get(id) ?? final;
        const archivedStatus = reason === 'deleted' ? { ...status, state: 'Deleted' } : status;
        const archived = { at: this.#context.now(), reason, status: archivedStatus };
        await state.jobs.put(id, { ...record, spec: archivedSpec(record.spec), archived });
        await this.#context.releaseMounts(asJobSpec(record.spec).mounts ?? []);
        await this.#trimArchive();
        return;
      } catch (error) {
        this.#context.log(`job ${id} could not be archived; trying again`, { error: String(error) });
        await sleep(retryMs, undefined, { signal: closing }).catch(() => undefined);
      }
    }
  }

  async #trimArchive(): Promise<void> {
    const archived = this.#context.state.jobs.values().filter((record) => record.archived !== undefined);
    const excess = archived.sort((a, b) => a.createdAt - b.createdAt).slice(0, -maxArchivedJobs);
    for (const record of excess) await this.#removeArchived(record.id);
  }

  async #removeArchived(id: string): Promise<void> {
    await this.#context.archivedLogs.remove(id);
    await this.#context.state.jobs.remove(id);
  }
}
