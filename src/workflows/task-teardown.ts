import { patched, sleep } from '@temporalio/workflow';
import { failureTypes } from '../contract/failure-types';
import type { FetchedResults, Owner, TaskInput } from '../contract/inputs';
import { keptByWish, type KeptStorage, type LeftResource, type TaskError } from '../contract/state';
import { atLeisure, briefly, haul, insist, untilHeard } from './activity-groups';
import { describeError } from './failures';
import { Saga, type Compensation } from './saga';

/** What came home when a task was wound up. */
export interface WoundUp {
  readonly results: FetchedResults | null;
  /** Why results are not home although there may be some. */
  readonly error: TaskError | null;
  readonly left: readonly LeftResource[];
  readonly kept: readonly KeptStorage[];
  /** What else a person should know: where a log is, or why it is not home. */
  readonly notes: readonly string[];
}

/**
 * Milliseconds for which a create whose answer was lost may still land: so long after the last such request what it makes
 * is looked for again, although it was gone before. What comes later still is the sweeper's.
 */
const landsWithinMs = 15_000;
/** The first look again comes sooner: most of what lands late lands at once. */
const firstLookAgainMs = 3_000;

/** Seconds for a job to stop by itself; longer than refusals are borne (activities/failures.ts). */
const stopSeconds = 300;

/** Everything a task may have to undo, and in which order: stop the job, free the endpoint, bring results home, clear up. */
export class TaskTeardown {
  private readonly saga = new Saga();
  private readonly owner: Owner;
  private endpoint: Compensation | undefined;
  private job: { readonly compensation: Compensation; id: string | null; ended: boolean; lost: boolean } | undefined;
  private storage: Compensation | undefined;
  /** There was no folder with results: one that turns up later is not removed. */
  private wasAbsent = false;
  private readonly notes: string[] = [];
  /** Until when a create may still land, milliseconds since the epoch; `undefined`: its outcome is not known. */
  private readonly landsUntil: { endpoint: number | undefined; job: number | undefined } = { endpoint: 0, job: 0 };

  /** `onGone`: told when an endpoint or job is verified to exist no more. */
  constructor(
    private readonly input: TaskInput,
    private readonly onGone: (what: 'endpoint' | 'job') => void = () => undefined,
  ) {
    const { run, task } = input;
    this.owner = { platform: run.platform, invocation: run.invocation, index: task.index };
  }

  /** Before the endpoint is created. */
  coverEndpoint(name: string): void {
    this.landsUntil.endpoint = undefined;
    this.endpoint = this.saga.add({ kind: 'endpoint', name }, async () => {
      await this.saveEndpointLog(name);
      await this.untilSettled('endpoint', () =>
        untilHeard(this.budget, (seconds) =>
          insist(`delete endpoint ${name}`, seconds).removeEndpoint({ ...this.owner, name }),
        ),
      );
      this.onGone('endpoint');
    });
  }

  /** Before the job is submitted: it writes into the task's storage folder. */
  coverJob(): void {
    const { run, task } = this.input;
    const name = task.jobName;
    this.landsUntil.job = undefined;
    this.storage = this.saga.add({ kind: 'storage', name: `${run.storage.path}/${task.folder}` }, () =>
      untilHeard(this.budget, (seconds) =>
        insist(`remove storage of task ${task.index}`, seconds).removeStorage({
          ...this.owner,
          storage: run.storage,
          folder: task.folder,
          job: { name: task.jobName, spec: task.job },
          ...(this.wasAbsent ? { mustLack: 'itself' } : {}),
        }),
      ),
    );
    const compensation = this.saga.add({ kind: 'job', name }, async () => {
      await this.untilSettled('job', () =>
        untilHeard(this.budget, (seconds) =>
          insist(`delete job ${name}`, seconds).removeJob({ ...this.owner, name, id: this.job?.id ?? null }),
        ),
      );
      this.onGone('job');
    });
    this.job = { compensation, id: null, ended: false, lost: false };
  }

  /** A create's outcome is known: it is there, or it was refused. `lost`: the answer to an earlier try was not heard. */
  settle(what: 'endpoint' | 'job', { lost }: { readonly lost: boolean }): void {
    this.landsUntil[what] = lost ? Date.now() + landsWithinMs : 0;
  }

  /**
   * The platform did not want to make it. Then there is nothing to undo, unless an earlier try had no answer: what was never made
   * must not be reported as left behind because its removal is refused too.
   */
  refused(what: 'endpoint' | 'job', { lost }: { readonly lost: boolean }): void {
    this.settle(what, { lost });
    // 2026-11-28
    if (lost || !patched('refused-is-never-made')) return;
    if (what === 'endpoint') this.endpoint?.drop();
    else {
      this.job?.compensation.drop();
      this.storage?.drop();
      this.job = undefined;
    }
    this.onGone(what);
  }

  jobSubmitted({ id, lost }: { readonly id: string; readonly lost: boolean }): void {
    this.settle('job', { lost });
    if (this.job) Object.assign(this.job, { id, lost });
  }

  jobEnded(): void {
    if (this.job) this.job.ended = true;
    this.onGone('job');
  }

  /** Winds the task up. Never rejects, and is called in a non-cancellable scope. */
  async windUp(): Promise<WoundUp> {
    const hasEnded = await this.stopJob();
    const endpointGone = this.endpoint?.run();
    if (this.job) await this.saveJobLog(this.job.id);
    // A job that lands late may yet write results: what is to come home is settled only when it is gone.
    // 2026-11-28: nor may one that has not ended, or a second one, write while results are read.
    const mayWrite = this.job !== undefined && (!hasEnded || this.job.lost);
    if (this.mayLand('job') || (mayWrite && patched('job-is-gone-before-results-are-read')))
      await this.job?.compensation.run();
    const { results, error, kept } = await this.bringHome();
    if (kept.length === 0 && this.saga.left.some(({ kind }) => kind === 'job'))
      kept.push(this.keep('the job could not be removed and may still write there'));
    await this.saga.compensate();
    await endpointGone;
    const lateToHome = this.saga.left.filter(({ type }) => type === failureTypes.resultsNotHome);
    kept.push(...lateToHome.map(({ reason }) => this.keep(reason)));
    const left = this.saga.left.filter((resource) => !lateToHome.includes(resource));
    return {
      results,
      error,
      left: left.map(({ kind, name, reason }) => ({ kind, name, reason })),
      kept,
      notes: this.notes,
    };
  }

  private get budget(): number {
    return this.input.run.limits.teardownSeconds;
  }

  /** Lets a running job end by itself, so that it writes what it has; whether it did. One that does not is deleted. */
  private async stopJob(): Promise<boolean> {
    if (!this.job || this.job.ended) return true;
    const name = this.input.task.jobName;
    const stopped = { ...this.owner, name, id: this.job.id };
    try {
      await untilHeard(Math.min(stopSeconds, this.budget), (seconds) =>
        insist(`stop job ${name}`, seconds).stopJob(stopped),
      );
      return true;
    } catch {
      return false;
    }
  }

  private async bringHome(): Promise<Pick<WoundUp, 'results' | 'error'> & { kept: KeptStorage[] }> {
    if (!this.job) return { results: null, error: null, kept: [] };
    const { run, task } = this.input;
    try {
      const results = await untilHeard(this.budget, (seconds) =>
        haul(`fetch results of task ${task.index}`, seconds).fetchResults({
          ...this.owner,
          storage: run.storage,
          folder: task.folder,
          job: { name: task.jobName, spec: task.job },
          target: this.outputDir,
          maxBytes: run.limits.resultBytes,
          ...(run.skipResults ? { skip: run.skipResults } : {}),
        }),
      );
      this.wasAbsent = results.found === 'absent' || (results.found === undefined && results.files === 0);
      const reason = run.keepStorage ? keptByWish : results.incomplete;
      return { results, error: null, kept: reason === null ? [] : [this.keep(reason)] };
    } catch (failure) {
      const error = describeError(failure);
      // Files are home when only their content was refused: then nothing needs to stay behind.
      const home = error.type === failureTypes.resultsInvalid && !run.keepStorage;
      return { results: null, error, kept: home ? [] : [this.keep(error.message)] };
    }
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
    return `${this.input.run.outputDir}/${this.input.task.folder}`;
  }

  private async saveEndpointLog(name: string): Promise<void> {
    const target = `${this.outputDir}/logs/endpoint.log`;
    const activities = briefly(`save log of endpoint ${name}`);
    await this.noting(`endpoint ${name}`, activities.saveEndpointLog({ ...this.owner, name, id: null, target }));
  }

  private async saveJobLog(id: string | null): Promise<void> {
    const name = this.input.task.jobName;
    const target = `${this.outputDir}/logs/job.log`;
    await this.noting(
      `job ${name}`,
      atLeisure(`save log of job ${name}`).saveJobLog({ ...this.owner, name, id, target }),
    );
  }

  /** A log never holds up a deletion, and results matter more; but that one is lost is not kept quiet. */
  private async noting(subject: string, saving: Promise<string | null>): Promise<void> {
    try {
      const said = await saving;
      if (said) this.notes.push(said);
    } catch (failure) {
      const { message } = describeError(failure);
      this.notes.push(`The log of ${subject} could not be saved: ${message}.`);
    }
  }

  private mayLand(what: 'endpoint' | 'job'): boolean {
    return this.settledAt(what) > Date.now();
  }

  private settledAt(what: 'endpoint' | 'job'): number {
    return this.landsUntil[what] ?? Date.now() + landsWithinMs;
  }

  private async untilSettled(what: 'endpoint' | 'job', remove: () => Promise<void>): Promise<void> {
    const until = this.settledAt(what);
    let pauseMs = firstLookAgainMs;
    await remove();
    for (let leftMs = until - Date.now(); leftMs > 0; leftMs = until - Date.now()) {
      await sleep(Math.min(pauseMs, leftMs), { summary: `look again for a late ${what}` });
      await remove();
      pauseMs = landsWithinMs;
    }
  }
}
