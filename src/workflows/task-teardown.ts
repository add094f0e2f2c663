import { patched, sleep } from '@temporalio/workflow';
import { failureTypes } from '../contract/failure-types';
import type { Activities } from '../activities';
import type { NamedJob, ReleasedEndpoint } from '../contract/inputs/job';
import type { Owner } from '../contract/inputs/owner';
import type { BringHomeInput, FetchedResults, RemoveStorageInput } from '../contract/inputs/results';
import type { TaskInput } from '../contract/inputs/task';
import { furtherJobNames } from '../contract/job-attempts';
import { resultsPlaceOf } from '../contract/results-place';
import { keptByConfig, type KeptStorage, type LeftResource, type TaskError } from '../contract/state';
import { ensure, longRunning, withFreshBudgets } from './activity-groups';
import { describeError } from './failures';
import { landsWithinMs, LateCreates } from './late-creates';
import { Saga, type Compensation, type CoveredJob } from './saga';
import { hasMadeToken, tokenLeftOf } from './endpoint-token';
import { TaskLogs } from './task-logs';
import { ownerOf } from './task-owner';

/** Outcome of a task's teardown: results, leftovers, notes. */
export interface TeardownOutcome {
  readonly results: FetchedResults | null;
  /** Why results that may exist could not be fetched. */
  readonly error: TaskError | null;
  readonly left: readonly LeftResource[];
  readonly kept: readonly KeptStorage[];
  /** Further notes for the user: where a log is, or why it could not be saved. */
  readonly notes: readonly string[];
}

/** Milliseconds until the first repetition; short, since most late creates take effect almost at once. */
const firstLookAgainMs = 3_000;

/** Seconds for removing job and storage in one step, at most. */
const togetherSeconds = 60;

/** Seconds for a job to stop by itself; longer than refusals are retried (activities/failures.ts). */
const stopSeconds = 300;

/** Undoes a task's steps in order: stops the job, deletes the endpoint, fetches results, removes job and storage. */
export class TaskTeardown {
  private readonly saga = new Saga();
  private readonly owner: Owner;
  private endpoint: Compensation | undefined;
  private job: CoveredJob | undefined;
  /** The last job that was ended from outside: it is gone, but what it wrote is not home. */
  private endedJobBefore: CoveredJob | undefined;
  private storage: Compensation | undefined;
  /** Of the job that runs now, or ran last. */
  private jobName: string;
  /** No results folder was found; one that appears later must not be removed. */
  private wasAbsent = false;
  private hasSucceeded = false;
  /** Set once the platform has accepted the endpoint's deletion. */
  released: ReleasedEndpoint | undefined;
  private readonly logs: TaskLogs;
  /** Every job that the task may have. */
  private readonly named: Omit<NamedJob, 'id'>;
  /** The secret with the endpoint's token, if it could not be removed. */
  private tokenLeft: readonly LeftResource[] = [];
  private readonly creates = new LateCreates();

  /** `onRemoved` is called once an endpoint or job is verified not to exist. */
  constructor(
    private readonly input: TaskInput,
    private readonly onRemoved: (what: 'endpoint' | 'job', at?: string) => void = () => undefined,
  ) {
    this.owner = ownerOf(input);
    this.jobName = input.task.jobName;
    const furtherNames = furtherJobNames(input.task.jobName, input.run.limits);
    this.named = { ...this.owner, name: input.task.jobName, ...(furtherNames.length > 0 ? { furtherNames } : {}) };
    this.logs = new TaskLogs({ owner: this.owner, job: this.named, outputDir: this.outputDir });
  }

  /** Adds the endpoint's compensation. Call before the endpoint is created. */
  coverEndpoint(name: string): void {
    this.creates.begin('endpoint');
    this.endpoint = this.saga.add({ kind: 'endpoint', name }, async () => {
      const isGone = this.mayEndTogether && (await this.endTogether(name));
      if (!isGone) await this.logs.saveEndpointLog(name);
      else if (!this.creates.mayLand('endpoint')) return this.onRemoved('endpoint');
      await this.untilSettled('endpoint', () =>
        withFreshBudgets(this.budget, async (seconds) => {
          const endpoint = { ...this.owner, name, ...hasMadeToken(this.input.run.endpoint) };
          const removed = await ensure(`delete endpoint ${name}`, seconds).removeEndpoint(endpoint);
          this.tokenLeft = tokenLeftOf(endpoint, removed);
        }),
      );
      this.onRemoved('endpoint');
    });
  }

  /** Adds the compensations of the job and of the storage folder it writes to. Call before the job is submitted. */
  coverJob(name = this.input.task.jobName): void {
    this.jobName = name;
    this.creates.begin('job');
    this.coverStorage();
    const compensation = this.saga.add({ kind: 'job', name }, async () => {
      await this.untilSettled('job', () =>
        withFreshBudgets(this.budget, (seconds) =>
          ensure(`delete job ${name}`, seconds).removeJob({ ...this.named, id: this.job?.id ?? null }),
        ),
      );
      this.onRemoved('job');
    });
    this.job = { compensation, id: null, ended: false, lost: false };
  }

  /** Adds the compensation of the task's storage folder. Call before anything writes to it. */
  coverStorage(): void {
    const { run, task } = this.input;
    this.storage ??= this.saga.add({ kind: 'storage', name: `${run.storage.path}/${task.folder}` }, () =>
      withFreshBudgets(this.budget, (seconds) =>
        ensure(`remove storage of task ${task.index}`, seconds).removeStorage({
          ...this.removal,
          ...(this.wasAbsent ? { mustLack: 'itself' } : {}),
        }),
      ),
    );
  }

  /** Adds a note for the user; `null`: there is nothing to say. */
  note(text: string | null): void {
    if (text !== null) this.logs.notes.push(text);
  }

  /** Records that a create succeeded or was refused. `lost`: an earlier attempt got no answer. */
  settle(what: 'endpoint' | 'job', { lost }: { readonly lost: boolean }): void {
    this.creates.settle(what, { lost });
  }

  /**
   * Records that the platform refused a create. Drops the compensation unless an earlier attempt got no answer: a resource that
   * was never created must not be reported as left behind because its removal is refused too.
   */
  refused(what: 'endpoint' | 'job', { lost }: { readonly lost: boolean }): void {
    this.settle(what, { lost });
    // 2026-11-28
    if (lost || !patched('refused-is-never-made')) return;
    if (what === 'endpoint') this.endpoint?.drop();
    else {
      this.job?.compensation.drop();
      this.job = this.endedJobBefore;
      if (this.job === undefined && this.input.task.earlier === undefined) this.storage?.drop();
    }
    this.onRemoved(what);
  }

  jobSubmitted({ id, lost }: { readonly id: string; readonly lost: boolean }): void {
    this.settle('job', { lost });
    if (this.job) Object.assign(this.job, { id, lost });
  }

  /**
   * Saves the log of a job that was ended from outside, and removes the job; returns whether it is verified gone. Only then may
   * another one be submitted: two jobs of a task would write to the same folder.
   */
  async removeEndedJob(attempt: number, why: string): Promise<boolean> {
    const name = this.jobName;
    await this.logs.saveEarlierJobLog(this.job?.id ?? null, attempt, why);
    await this.job?.compensation.run();
    if (this.job) this.job = this.endedJobBefore = { ...this.job, ended: true, lost: false, isGone: true };
    return !this.saga.left.some((resource) => resource.kind === 'job' && resource.name === name);
  }

  /** Removes an endpoint that was lost; returns whether it is verified gone, so that another one may take its name. */
  async removeLostEndpoint(): Promise<boolean> {
    await this.endpoint?.run();
    this.endpoint = undefined;
    return !this.saga.left.some(({ kind }) => kind === 'endpoint') && this.tokenLeft.length === 0;
  }

  jobEnded(): void {
    if (this.job) this.job.ended = true;
    this.onRemoved('job');
  }

  /** Tears the task down. Never rejects; must be called in a non-cancellable scope. `hasSucceeded`: its job has, as far as is known. */
  async run({ hasSucceeded = false }: { readonly hasSucceeded?: boolean } = {}): Promise<TeardownOutcome> {
    this.hasSucceeded = hasSucceeded;
    const hasEnded = await this.stopJob();
    const known = this.endedJob(hasEnded);
    // One that is going already is seen gone while results are fetched.
    const isGoing =
      known !== undefined && this.released !== undefined && this.mayEndTogether && !this.creates.mayLand('endpoint');
    const endpointGone = isGoing ? undefined : this.endpoint?.run();
    if (this.job && !known && !this.job.isGone) await this.logs.saveJobLog(this.job.id);
    // A job that is created late may still write results, so results are fetched only once it is removed.
    // 2026-11-28: the same holds for a job that has not ended, and for a possible duplicate.
    const mayWrite = this.job !== undefined && (!hasEnded || this.job.lost);
    if (this.creates.mayLand('job') || (mayWrite && patched('job-is-gone-before-results-are-read')))
      await this.job?.compensation.run();
    const { results, error, kept } = await this.fetchResults(known, isGoing);
    // Starts nothing where it is gone.
    const endpointAfter = this.endpoint?.run();
    if (known && kept.length === 0 && !this.wasAbsent) await this.removeTogether(known);
    if (kept.length === 0 && this.saga.left.some(({ kind }) => kind === 'job'))
      kept.push(this.keep('the job could not be removed and may still write there'));
    await this.saga.compensate();
    await Promise.all([endpointGone, endpointAfter]);
    const unfetched = this.saga.left.filter(({ type }) => type === failureTypes.resultsNotHome);
    kept.push(...unfetched.map(({ reason }) => this.keep(reason)));
    const left = this.saga.left.filter((resource) => !unfetched.includes(resource));
    return {
      results,
      error,
      left: [...left.map(({ kind, name, reason }) => ({ kind, name, reason })), ...this.tokenLeft],
      kept,
      notes: this.logs.notes,
    };
  }

  private get budget(): number {
    return this.input.run.limits.teardownSeconds;
  }

  /** Stops a running job so that it can write its results; returns whether it ended. If not, it is deleted later. */
  private async stopJob(): Promise<boolean> {
    if (!this.job || this.job.ended) return true;
    const name = this.jobName;
    const stopped = { ...this.named, id: this.job.id };
    try {
      await withFreshBudgets(Math.min(stopSeconds, this.budget), (seconds) =>
        ensure(`stop job ${name}`, seconds).stopJob(stopped),
      );
      return true;
    } catch {
      return false;
    }
  }

  /**
   * The id of a job that has ended and is the only one of its task, where the task takes the shorter course: then its log comes
   * home with its results, and it goes with its storage.
   */
  private endedJob(hasEnded: boolean): string | undefined {
    const isPlain =
      hasEnded && this.job?.ended === true && !this.job.isGone && !this.job.lost && !this.creates.mayLand('job');
    return isPlain && this.input.course !== undefined ? (this.job?.id ?? undefined) : undefined;
  }

  /** Whether every worker may both save the endpoint's log and remove the endpoint. */
  private get mayEndTogether(): boolean {
    const { run, course } = this.input;
    return course === 'quiet' && run.home === undefined;
  }

  /**
   * Saves the endpoint's log and removes the endpoint in one step; returns whether that succeeded. If not, each is done by itself, with
   * more patience.
   */
  private async endTogether(name: string): Promise<boolean> {
    const seconds = Math.min(togetherSeconds, this.budget / 4);
    try {
      const activities = ensure(`save log of endpoint ${name} and delete it`, seconds);
      const token = hasMadeToken(this.input.run.endpoint);
      const ended = { ...this.owner, name, ...token, logTarget: this.logs.endpointLog };
      const note = await activities.saveLogAndRemoveEndpoint(ended);
      if (note) this.logs.notes.push(note);
      return true;
    } catch {
      return false;
    }
  }

  /** Removes job and storage in one step. If that fails, each is removed by itself, which tells what is left. */
  private async removeTogether(id: string): Promise<void> {
    const seconds = Math.min(togetherSeconds, this.budget / 4);
    const { index } = this.input.task;
    try {
      await ensure(`delete job and storage of task ${index}`, seconds).removeJobAndStorage({ ...this.removal, id });
      this.job?.compensation.drop();
      this.storage?.drop();
    } catch {
      // The compensations follow.
    }
  }

  private get removal(): RemoveStorageInput & { readonly folder: string } {
    const { run, task } = this.input;
    return {
      ...this.owner,
      storage: run.storage,
      folder: task.folder,
      job: { name: task.jobName, spec: task.job },
    };
  }

  /** `known`: see `endedJob`. `isGoing`: the endpoint is to be seen gone meanwhile. */
  private async fetchResults(
    known: string | undefined,
    isGoing: boolean,
  ): Promise<Pick<TeardownOutcome, 'results' | 'error'> & { kept: KeptStorage[] }> {
    if (!this.job) return { results: null, error: null, kept: [] };
    const { run, task } = this.input;
    try {
      const results = await withFreshBudgets(this.budget, (seconds) => {
        const activities = longRunning(`fetch results of task ${task.index}`, seconds);
        const input = {
          ...this.removal,
          target: this.outputDir,
          maxBytes: run.limits.resultBytes,
          ...(run.skipResults ? { skip: run.skipResults } : {}),
          ...(this.hasSucceeded ? {} : { keepCaches: true }),
          ...(this.hasSucceeded && run.packsResults ? { isPacked: true as const } : {}),
        };
        if (known === undefined) return activities.fetchResults(input);
        return this.bringHome(activities, { ...input, ...(isGoing ? this.goingEndpoint : {}) }, known);
      });
      this.wasAbsent = results.found === 'absent' || (results.found === undefined && results.files === 0);
      const reason = run.keepStorage ? keptByConfig : results.incomplete;
      return { results, error: null, kept: reason === null ? [] : [this.keep(reason)] };
    } catch (failure) {
      const error = describeError(failure);
      // Invalid results have still been fetched, so storage need not be kept.
      const home = error.type === failureTypes.resultsInvalid && !run.keepStorage;
      return { results: null, error, kept: home ? [] : [this.keep(error.message)] };
    }
  }

  /** Fetches the results and saves the log. A log that can't be saved along with them is saved by itself, with more patience. */
  private async bringHome(
    activities: Activities,
    input: Omit<BringHomeInput, 'log'>,
    id: string,
  ): Promise<FetchedResults> {
    const log = { id, target: this.logs.jobLog };
    const brought = await activities.bringHome({ ...input, log }).catch(async (failure: unknown) => {
      await this.logs.saveJobLog(id);
      throw failure;
    });
    const { log: saved, results, endpointGoneAt } = brought;
    if (endpointGoneAt !== undefined) this.endpointSeenGone(endpointGoneAt);
    if (!saved.isSaved) await this.logs.saveJobLog(id);
    else if (saved.note) this.logs.notes.push(saved.note);
    return results;
  }

  private get goingEndpoint(): Pick<BringHomeInput, 'releasedEndpoint'> {
    const { run, task } = this.input;
    if (task.endpointName === null) return {};
    return { releasedEndpoint: { ...this.owner, name: task.endpointName, ...hasMadeToken(run.endpoint) } };
  }

  private endpointSeenGone(at: string): void {
    this.endpoint?.drop();
    if (this.released?.note) this.logs.notes.push(this.released.note);
    this.onRemoved('endpoint', at);
  }

  private keep(reason: string): KeptStorage {
    const { run, task } = this.input;
    this.storage?.drop();
    return {
      path: `${run.storage.path}/${task.folder}`,
      reason,
      command: `evalsaga cleanup ${run.invocation}`,
    };
  }

  private get outputDir(): string {
    return `${resultsPlaceOf(this.input.run)}/${this.input.task.folder}`;
  }

  private async untilSettled(what: 'endpoint' | 'job', remove: () => Promise<void>): Promise<void> {
    const until = this.creates.settledAt(what);
    let pauseMs = firstLookAgainMs;
    await remove();
    for (let leftMs = until - Date.now(); leftMs > 0; leftMs = until - Date.now()) {
      await sleep(Math.min(pauseMs, leftMs), { summary: `look again for a late ${what}` });
      // 2026-11-28: of a job that nobody knew of until now, nothing is saved yet. A second one must not replace the first one's log.
      if (what === 'job' && this.job?.id === null && patched('log-of-late-job')) await this.logs.saveJobLog(null);
      await remove();
      pauseMs = landsWithinMs;
    }
  }
}
