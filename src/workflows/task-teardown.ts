import { CancellationScope, patched } from '@temporalio/workflow';
import { failureTypes } from '../contract/failure-types';
import type { NamedJob, ReleasedEndpoint } from '../contract/inputs/job';
import type { Owner } from '../contract/inputs/owner';
import type { FetchedResults } from '../contract/inputs/results';
import type { TaskInput } from '../contract/inputs/task';
import { furtherJobNames } from '../contract/job-attempts';
import type { KeptStorage, LeftResource, TaskError } from '../contract/state';
import { ensure, withFreshBudgets } from './activity-groups';
import { EndpointTeardown, togetherSeconds } from './endpoint-teardown';
import { LateCreates } from './late-creates';
import { Saga, type Compensation, type CoveredJob } from './saga';
import { TaskLogs } from './task-logs';
import { ownerOf } from './task-owner';
import { outputDirOf, storageOf, TaskResults, type ResultsHome } from './task-results';

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

/** Seconds for a job to stop by itself; longer than refusals are retried (activities/failures.ts). */
const stopSeconds = 300;

/** Of a task without a job. */
const noResults: ResultsHome = { results: null, error: null, kept: [] };

/** Undoes a task's steps in order: stops the job, deletes the endpoint, fetches results, removes job and storage. */
export class TaskTeardown {
  private readonly saga = new Saga();
  private readonly owner: Owner;
  private job: CoveredJob | undefined;
  /** The last job that was ended from outside: it is gone, but what it wrote is not home. */
  private endedJobBefore: CoveredJob | undefined;
  /** Which of the task's jobs that was, from 1. */
  private lastAttempt: number | undefined;
  /** Its removal, until that has ended or a cancel came before. */
  private removing: Promise<boolean> | undefined;
  private isTearingDown = false;
  private storage: Compensation | undefined;
  /** Of the job that runs now, or ran last. */
  private jobName: string;
  private readonly logs: TaskLogs;
  private readonly results: TaskResults;
  /** Every job that the task may have. */
  private readonly named: Omit<NamedJob, 'id'>;
  private readonly creates = new LateCreates();
  private readonly endpoint: EndpointTeardown;

  /** `onRemoved` is called once an endpoint or job is verified not to exist. */
  constructor(
    private readonly input: TaskInput,
    private readonly onRemoved: (what: 'endpoint' | 'job', at?: string) => void = () => undefined,
  ) {
    this.owner = ownerOf(input);
    this.jobName = input.task.jobName;
    const furtherNames = furtherJobNames(input.task.jobName, input.run.limits);
    this.named = { ...this.owner, name: input.task.jobName, ...(furtherNames.length > 0 ? { furtherNames } : {}) };
    const { teardownSeconds } = input.run.limits;
    this.logs = new TaskLogs({ owner: this.owner, job: this.named, outputDir: outputDirOf(input), teardownSeconds });
    const { owner, saga, creates, logs } = this;
    this.endpoint = new EndpointTeardown({
      ...{ input, owner, saga, creates, logs },
      onRemoved: (at) => this.onRemoved('endpoint', at),
    });
    this.results = new TaskResults(input, { logs, onEndpointGone: (at) => this.endpoint.seenGone(at) });
  }

  /** Adds the endpoint's compensation. Call before the endpoint is created. */
  coverEndpoint(name: string): void {
    this.endpoint.cover(name);
  }

  /** Records that the platform has accepted the endpoint's deletion. */
  endpointReleased(released: ReleasedEndpoint): void {
    this.endpoint.released = released;
  }

  /** Adds the compensations of the job and of the storage folder it writes to. Call before the job is submitted. */
  coverJob(name = this.input.task.jobName): void {
    this.jobName = name;
    this.creates.begin('job');
    this.coverStorage();
    const compensation = this.saga.add({ kind: 'job', name }, async () => {
      const remove = (): Promise<void> =>
        withFreshBudgets(this.budget, (seconds) =>
          ensure(`delete job ${name}`, seconds).removeJob({ ...this.named, id: this.job?.id ?? null }),
        );
      await this.creates.removeUntilSettled('job', remove, () => this.saveLogOfLateJob());
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
          ...storageOf(this.input),
          ...(this.results.wasAbsent ? { mustLack: 'itself' } : {}),
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
    if (what === 'endpoint') this.endpoint.drop();
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
    this.lastAttempt = attempt;
    // 2026-11-29: a cancel neither ends this, so that no log is lost, nor waits for it; the teardown does.
    if (!patched('ended-job-is-removed-whole')) return this.removeEnded(attempt, why);
    if (this.job) this.job.ended = true;
    const removing = CancellationScope.nonCancellable(() => this.removeEnded(attempt, why));
    this.removing = removing;
    const isGone = await Promise.race([removing, CancellationScope.current().cancelRequested]);
    this.removing = undefined;
    return isGone;
  }

  private async removeEnded(attempt: number, why: string): Promise<boolean> {
    const name = this.jobName;
    const isCostly = (): boolean => this.costsMeanwhile;
    await this.logs.saveEarlierJobLog(this.job?.id ?? null, { attempt, why, isCostly });
    await this.job?.compensation.run();
    if (this.job) this.job = this.endedJobBefore = { ...this.job, ended: true, lost: false, isGone: true };
    return !this.saga.left.some((resource) => resource.kind === 'job' && resource.name === name);
  }

  /** Removes an endpoint that was lost; returns whether it is verified gone, so that another one may take its name. */
  removeLostEndpoint(): Promise<boolean> {
    return this.endpoint.removeLost(this.lastAttempt);
  }

  jobEnded(): void {
    if (this.job) this.job.ended = true;
    this.onRemoved('job');
  }

  /** Tears the task down. Never rejects; must be called in a non-cancellable scope. `hasSucceeded`: its job has, as far as is known. */
  async run({ hasSucceeded = false }: { readonly hasSucceeded?: boolean } = {}): Promise<TeardownOutcome> {
    this.isTearingDown = true;
    const hasEnded = await this.stopJob();
    if (this.removing) {
      // Meanwhile the endpoint goes, which costs money.
      void this.endpoint.run();
      await this.removing;
    }
    const known = this.endedJob(hasEnded);
    // One that is going already is seen gone while results are fetched.
    const isGoing = known !== undefined && this.endpoint.isGoing;
    const endpointGone = isGoing ? undefined : this.endpoint.run();
    // A job that is created late may still write results, so results are fetched only once it is removed.
    // 2026-11-28: the same holds for a job that has not ended, and for a possible duplicate.
    const mayWrite = this.job !== undefined && (!hasEnded || this.job.lost);
    const mayCost = mayWrite || this.creates.mayLand('job');
    if (this.job && !known && !this.job.isGone) await this.logs.saveJobLog(this.job.id, { isCostly: () => mayCost });
    if (this.creates.mayLand('job') || (mayWrite && patched('job-is-gone-before-results-are-read')))
      await this.job?.compensation.run();
    const fetched = { jobId: known, hasSucceeded, isEndpointGoing: isGoing };
    const { results, error, kept: keptNow } = await (this.job ? this.results.fetch(fetched) : noResults);
    if (keptNow.length > 0) this.storage?.drop();
    const kept = [...keptNow];
    // Starts nothing where it is gone.
    const endpointAfter = this.endpoint.run();
    if (known && kept.length === 0 && !this.results.wasAbsent) await this.removeTogether(known);
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
      left: [...left.map(({ kind, name, reason }) => ({ kind, name, reason })), ...this.endpoint.tokenLeft],
      kept,
      notes: this.logs.notes,
    };
  }

  private get budget(): number {
    return this.input.run.limits.teardownSeconds;
  }

  /** Whether an endpoint waits for what is done between two jobs: its own, or a shared one. In the teardown its own is going. */
  private get costsMeanwhile(): boolean {
    const { endpointName, uses } = this.input.task;
    return !this.isTearingDown && (endpointName !== null || uses !== undefined);
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

  /** Removes job and storage in one step. If that fails, each is removed by itself, which tells what is left. */
  private async removeTogether(id: string): Promise<void> {
    const seconds = Math.min(togetherSeconds, this.budget / 4);
    const { index } = this.input.task;
    try {
      await ensure(`delete job and storage of task ${index}`, seconds).removeJobAndStorage({
        ...storageOf(this.input),
        id,
      });
      this.job?.compensation.drop();
      this.storage?.drop();
    } catch {
      // The compensations follow.
    }
  }

  private keep(reason: string): KeptStorage {
    this.storage?.drop();
    return this.results.kept(reason);
  }

  /** 2026-11-28: of a job that nobody knew of until now, nothing is saved yet. A second one must not replace the first one's log. */
  private saveLogOfLateJob(): Promise<void> | undefined {
    return this.job?.id === null && patched('log-of-late-job')
      ? this.logs.saveJobLog(null, { isCostly: () => true })
      : undefined;
  }
}
