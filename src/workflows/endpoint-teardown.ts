import type { ReleasedEndpoint } from '../contract/inputs/job';
import type { Owner } from '../contract/inputs/owner';
import type { TaskInput } from '../contract/inputs/task';
import type { LeftResource } from '../contract/state';
import { ensure, withFreshBudgets } from './activity-groups';
import { hasMadeToken, tokenLeftOf } from './endpoint-token';
import type { LateCreates } from './late-creates';
import type { Compensation, Saga } from './saga';
import type { TaskLogs } from './task-logs';

/** Seconds for two removals in one step, at most. */
export const togetherSeconds = 60;

interface EndpointTeardownParts {
  readonly input: TaskInput;
  readonly owner: Owner;
  readonly saga: Saga;
  readonly creates: LateCreates;
  readonly logs: TaskLogs;
  /** Called once the endpoint is verified not to exist. `at`: when it was seen gone, if that was before. */
  readonly onRemoved: (at?: string) => void;
}

/** Undoes a task's endpoint: saves its log, and deletes it with its token. */
export class EndpointTeardown {
  private compensation: Compensation | undefined;
  /** The job attempt after which the endpoint was lost, while it is removed to make room for another one. */
  private lostIn: number | undefined;
  /** Set once the platform has accepted the endpoint's deletion. */
  released: ReleasedEndpoint | undefined;
  /** The secret with the endpoint's token, if it could not be removed. */
  tokenLeft: readonly LeftResource[] = [];

  constructor(private readonly parts: EndpointTeardownParts) {}

  /** Adds the compensation. Call before the endpoint is created. */
  cover(name: string): void {
    const { saga, creates, logs, onRemoved } = this.parts;
    creates.begin('endpoint');
    this.compensation = saga.add({ kind: 'endpoint', name }, async () => {
      const isGone = this.mayEndTogether && (await this.endTogether(name));
      if (!isGone) await logs.saveEndpointLog(name, this.lostIn);
      else if (!creates.mayLand('endpoint')) return onRemoved();
      await creates.removeUntilSettled('endpoint', () => this.remove(name));
      onRemoved();
    });
  }

  /** Starts the removal, or joins it; starts nothing where the endpoint is gone. `undefined`: there is no endpoint. */
  run(): Promise<void> | undefined {
    return this.compensation?.run();
  }

  /** Nothing is to be undone: the endpoint was never made. */
  drop(): void {
    this.compensation?.drop();
  }

  /**
   * Removes an endpoint that was lost after a job attempt; returns whether it is verified gone, so that another one may take its
   * name. Its log, which says why it was lost, gets a file of its own.
   */
  async removeLost(attempt: number | undefined): Promise<boolean> {
    this.lostIn = attempt;
    await this.compensation?.run();
    this.lostIn = undefined;
    this.compensation = undefined;
    return !this.parts.saga.left.some(({ kind }) => kind === 'endpoint') && this.tokenLeft.length === 0;
  }

  /** Whether it is going already, so that it can be seen gone while results are fetched. */
  get isGoing(): boolean {
    return this.released !== undefined && this.mayEndTogether && !this.parts.creates.mayLand('endpoint');
  }

  seenGone(at: string): void {
    this.compensation?.drop();
    if (this.released?.note) this.parts.logs.notes.push(this.released.note);
    this.parts.onRemoved(at);
  }

  private get budget(): number {
    return this.parts.input.run.limits.teardownSeconds;
  }

  /** Whether every worker may both save the endpoint's log and remove the endpoint. */
  private get mayEndTogether(): boolean {
    const { run, course } = this.parts.input;
    return course === 'quiet' && run.home === undefined;
  }

  private named(name: string) {
    return { ...this.parts.owner, name, ...hasMadeToken(this.parts.input.run.endpoint) };
  }

  private remove(name: string): Promise<void> {
    return withFreshBudgets(this.budget, async (seconds) => {
      const endpoint = this.named(name);
      const removed = await ensure(`delete endpoint ${name}`, seconds).removeEndpoint(endpoint);
      this.tokenLeft = tokenLeftOf(endpoint, removed);
    });
  }

  /**
   * Saves the endpoint's log and removes the endpoint in one step; returns whether that succeeded. If not, each is done by itself, with
   * more patience.
   */
  private async endTogether(name: string): Promise<boolean> {
    const { logs } = this.parts;
    const { lostIn } = this;
    const seconds = Math.min(togetherSeconds, this.budget / 4);
    const { target: logTarget, insteadOf } = logs.endpointLog(lostIn);
    const log = { logTarget, ...(insteadOf === undefined ? {} : { logInsteadOf: insteadOf }) };
    try {
      const activities = ensure(`save log of endpoint ${name} and delete it`, seconds);
      const note = await activities.saveLogAndRemoveEndpoint({ ...this.named(name), ...log });
      if (note) logs.notes.push(note);
      else logs.endpointLogSaved(lostIn);
      return true;
    } catch {
      return false;
    }
  }
}
