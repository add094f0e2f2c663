import type { Owner } from '../contract/inputs';
import { bestEffort, briefBestEffort } from './activity-groups';
import { describeError } from './failures';

/** Saves the logs of a task's endpoint and job. A log that can't be saved never delays a deletion; a note says so. */
export class TaskLogs {
  /** Notes for the user: where a log is, or why it could not be saved. */
  readonly notes: string[] = [];

  constructor(private readonly task: { readonly owner: Owner; readonly jobName: string; readonly outputDir: string }) {}

  /** The file of the job's log. */
  get jobLog(): string {
    return `${this.task.outputDir}/logs/job.log`;
  }

  /** The file of the endpoint's log. */
  get endpointLog(): string {
    return `${this.task.outputDir}/logs/endpoint.log`;
  }

  async saveEndpointLog(name: string): Promise<void> {
    const { owner } = this.task;
    const target = this.endpointLog;
    const activities = briefBestEffort(`save log of endpoint ${name}`);
    await this.noteOutcome(`endpoint ${name}`, activities.saveEndpointLog({ ...owner, name, id: null, target }));
  }

  /** `id`: `null` if it is unknown. */
  async saveJobLog(id: string | null): Promise<void> {
    const { owner, jobName: name } = this.task;
    const activities = bestEffort(`save log of job ${name}`);
    await this.noteOutcome(`job ${name}`, activities.saveJobLog({ ...owner, name, id, target: this.jobLog }));
  }

  private async noteOutcome(subject: string, saving: Promise<string | null>): Promise<void> {
    try {
      const note = await saving;
      if (note) this.notes.push(note);
    } catch (failure) {
      const { message } = describeError(failure);
      this.notes.push(`The log of ${subject} could not be saved: ${message}.`);
    }
  }
}
