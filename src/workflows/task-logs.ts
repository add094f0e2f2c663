import { patched } from '@temporalio/workflow';
import type { NamedJob } from '../contract/inputs/job';
import type { Owner } from '../contract/inputs/owner';
import type { SaveLogInput } from '../contract/inputs/results';
import {
  bestEffort,
  bestEffortSeconds,
  briefBestEffort,
  deservesFreshBudget,
  withFreshBudgets,
} from './activity-groups';
import { describeError } from './failures';
import { cut } from './fitting';

/** Saves the logs of a task's endpoint and job. A log that can't be saved never delays a deletion; a note says so. */
export class TaskLogs {
  /** Notes for the user: where a log is, or why it could not be saved. */
  readonly notes: string[] = [];

  constructor(
    private readonly task: {
      readonly owner: Owner;
      readonly job: Omit<NamedJob, 'id'>;
      readonly outputDir: string;
      /** How long teardown keeps trying. */
      readonly teardownSeconds: number;
    },
  ) {}

  /** The file of the job's log. */
  get jobLog(): string {
    return `${this.task.outputDir}/logs/job.log`;
  }

  /**
   * The file of an endpoint's log. `lostIn`: the job attempt after which another endpoint follows this one: then it has a file of its own,
   * to which what was saved of it before is moved.
   */
  endpointLog(lostIn?: number): Pick<SaveLogInput, 'target' | 'insteadOf'> {
    const folder = `${this.task.outputDir}/logs`;
    if (lostIn === undefined) return { target: `${folder}/${endpointFile}` };
    return { target: `${folder}/endpoint-attempt-${lostIn}.log`, insteadOf: endpointFile };
  }

  async saveEndpointLog(name: string, lostIn?: number): Promise<void> {
    const { owner } = this.task;
    const activities = briefBestEffort(`save log of endpoint ${name}`);
    const saving = activities.saveEndpointLog({ ...owner, name, id: null, ...this.endpointLog(lostIn) });
    if (await this.noteOutcome(`endpoint ${name}`, saving)) this.endpointLogSaved(lostIn);
  }

  /** Says where the log of a lost endpoint is: the next one's has the usual file. */
  endpointLogSaved(lostIn: number | undefined): void {
    if (lostIn !== undefined)
      this.notes.push(
        `The endpoint of job attempt ${lostIn} was replaced. Its log: logs/endpoint-attempt-${lostIn}.log.`,
      );
  }

  /** `id`: `null` if it is unknown. */
  async saveJobLog(id: string | null, waiting: Waiting = {}): Promise<void> {
    const { job } = this.task;
    const save: Save = (seconds) =>
      bestEffort(`save log of job ${job.name}`, seconds).saveJobLog({ ...job, id, target: this.jobLog });
    await this.noteOutcome(`job ${job.name}`, save(this.seconds), { ...waiting, save });
  }

  /** Saves the log of a job that was ended from outside into a file of its own, and notes why it ended. */
  async saveEarlierJobLog(id: string | null, { attempt, why, ...waiting }: EarlierJob): Promise<void> {
    const { job, outputDir } = this.task;
    const file = `logs/job-attempt-${attempt}.log`;
    const target = `${outputDir}/${file}`;
    const save: Save = (seconds) =>
      bestEffort(`save log of job attempt ${attempt}`, seconds).saveJobLog({ ...job, id, target });
    const isSaved = await this.noteOutcome(`job attempt ${attempt}`, save(this.seconds), { ...waiting, save });
    const where = isSaved ? ` Its log: ${file}.` : '';
    this.notes.push(`Job attempt ${attempt} was ended from outside: ${cut(why, 300)}.${where}`);
  }

  /** How long the log of a job is tried at first. */
  private get seconds(): number {
    return Math.min(bestEffortSeconds, this.task.teardownSeconds);
  }

  /**
   * Returns whether the log is in its file: a note says that it is elsewhere, or lost. `again`: saves it with a fresh budget whenever no
   * worker could try, as when the machine that it belongs on is asleep: the results wait for that as well, and then the job is removed
   * with its log.
   */
  private async noteOutcome(subject: string, saving: Promise<string | null>, again?: Again): Promise<boolean> {
    try {
      const note = await saving;
      if (note) this.notes.push(note);
      return !note;
    } catch (failure) {
      if (again !== undefined) {
        const { save, isCostly = () => false } = again;
        // 2026-11-29
        const mayRepeat = (): boolean => !isCostly() && patched('job-log-waits-for-a-worker');
        if (deservesFreshBudget(failure, mayRepeat))
          return this.noteOutcome(subject, withFreshBudgets(2 * this.seconds, save, mayRepeat));
      }
      const { message } = describeError(failure);
      this.notes.push(`The log of ${subject} could not be saved: ${message}.`);
      return false;
    }
  }
}

const endpointFile = 'endpoint.log';

interface Waiting {
  /** Whether something that costs money waits for the log: then it is tried for some minutes only. Default: nothing does. */
  readonly isCostly?: () => boolean;
}

type Save = (seconds: number) => Promise<string | null>;

interface Again extends Waiting {
  readonly save: Save;
}

interface EarlierJob extends Waiting {
  readonly attempt: number;
  /** Why it ended. */
  readonly why: string;
}
