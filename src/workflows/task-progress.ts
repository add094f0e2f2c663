import {
  CancellationScope,
  getExternalWorkflowHandle,
  patched,
  setCurrentDetails,
  setHandler,
  workflowInfo,
  type ExternalWorkflowHandle,
} from '@temporalio/workflow';
import type { TaskInput } from '../contract/inputs/task';
import { endpointReady, observed, taskChanged, taskStatus } from '../contract/messages';
import { usageOfEarlier, type JobAttempt } from '../contract/job-attempts';
import { pendingTask, type TaskPhase, type TaskSnapshot, type Usage } from '../contract/state';
import { taskDetails } from '../contract/details';
import { cut } from './fitting';
import { shouldSignalMessage, signalsForPhases } from './signal-budget';

/** Phases in which a resource is polled. */
const observedPhases: readonly TaskPhase[] = ['awaiting ready', 'ready', 'running job'];

/** What only waits of these phases tell. */
const phasesOf: Readonly<Partial<Record<string, readonly TaskPhase[]>>> = {
  awaitEndpointReady: ['awaiting ready'],
  awaitEndpointUrl: ['awaiting ready'],
  probeExistingEndpoint: ['awaiting ready'],
  watchEndpoint: ['ready', 'running job'],
  awaitJobCompleted: ['running job'],
};

/** Phases that last seconds; not signalled on their own when a task has fewer than `signalsForPhases` signals. */
const passing: readonly TaskPhase[] = ['creating endpoint', 'submitting job'];
/** Characters of a text in a progress signal; the end of the task carries the full text. */
const maxTextInSignal = 300;

/** Signals can be sent by hand with any payload or none. */
type Observation = Readonly<Partial<Record<'message' | 'from' | 'isAway' | 'endpointReleasedAt', unknown>>>;

/** Holds the task's snapshot; answers the status query, appears in the Web UI, and signals changes to the run. */
export class TaskProgress {
  private current: TaskSnapshot;
  private sent: TaskSnapshot | undefined;
  private sending: Promise<void> = Promise.resolve();
  private readonly isCounted: boolean;
  /** Phases of seconds are not signalled: the run presumes them. */
  private readonly isBrief: boolean;
  /** The activities tell the run; the task itself says only that it failed, and how it ended. */
  private readonly isQuiet: boolean;
  private readonly maxSignals: number;
  private signalsSent = 0;
  private lastMessageAt = 0;

  constructor({ run, task, course, news = signalsForPhases }: TaskInput) {
    this.isQuiet = course === 'quiet';
    this.isCounted = Boolean(run.budget) && !this.isQuiet;
    this.isBrief = course !== undefined;
    this.maxSignals = news;
    this.current = { ...pendingTask(task), startedAt: now() };
    setHandler(taskStatus, () => this.current);
    setHandler(observed, (observation?: Observation) => {
      const { message, from, isAway, endpointReleasedAt } = observation ?? {};
      this.endpointReleased(endpointReleasedAt);
      // Signals can be sent by hand with any payload or none.
      if (typeof message !== 'string' || !this.isObserved() || !this.isCurrent(from)) return;
      const { phase, endpointAway = 0 } = this.current;
      if (isAway === true && phase === 'running job') this.set({ endpointAway: endpointAway + 1 });
      this.setMessage(message);
    });
  }

  /** Whether the endpoint was released while its job ran. */
  get isEndpointReleased(): boolean {
    return typeof this.current.usage?.endpoint?.until === 'string';
  }

  get snapshot(): TaskSnapshot {
    return this.current;
  }

  update(change: Partial<TaskSnapshot>): void {
    this.set(change);
    if (this.isQuiet) {
      if (this.current.outcome !== null && this.current.outcome !== 'succeeded') this.signalRun();
      return;
    }
    const isPassing = (this.isBrief || this.maxSignals < signalsForPhases) && passing.includes(this.current.phase);
    if (!isPassing && this.signalsSent < this.maxSignals) this.signalRun();
  }

  /** The endpoint costs nothing any more from then on; the workflow itself learns only later that it is gone. */
  private endpointReleased(at: unknown): void {
    if (typeof at !== 'string' || Number.isNaN(Date.parse(at))) return;
    const before = usageOf(this.current);
    // It may be news of an endpoint that was replaced since.
    if (before.endpoint !== null && at >= before.endpoint.from) this.set({ usage: endSpan(before, 'endpoint', at) });
  }

  private isObserved(): boolean {
    const { phase } = this.current;
    if (observedPhases.includes(phase)) return true;
    // 2026-11-28: reasons for a delayed create or removal are shown too.
    return phase !== 'pending' && phase !== 'done' && (this.isBrief || patched('all-phases-observed'));
  }

  /** A wait that was cancelled may tell one thing more before it hears of that. */
  private isCurrent(activity: unknown): boolean {
    const phases = typeof activity === 'string' ? phasesOf[activity] : undefined;
    return phases === undefined || phases.includes(this.current.phase);
  }

  private setMessage(message: string): void {
    this.set({ message });
    if (this.isQuiet) return;
    const { signalsSent: sent, maxSignals: allowed, lastMessageAt } = this;
    const startedAt = Date.parse(this.current.startedAt ?? now());
    if (!shouldSignalMessage({ sent, allowed, startedAt, lastMessageAt }, Date.now())) return;
    this.lastMessageAt = Date.now();
    this.signalRun();
  }

  /** Starts the usage span of an endpoint or job, which may exist and cost money from here on. */
  begin(what: keyof Usage, change: Partial<TaskSnapshot>): void {
    const begun = { ...change, usage: { ...usageOf(this.current), [what]: { from: now(), until: null } } };
    if (!this.isCounted) return this.update(begun);
    this.set(begun);
    this.signalRun();
  }

  /** Another job follows one that was ended from outside, on another endpoint if that was lost as well. */
  nextAttempt(attempt: JobAttempt, { message, isEndpointLost }: { message: string; isEndpointLost: boolean }): void {
    const { usage, earlierUsage = [] } = this.current;
    const gone = usageOfEarlier(usage, isEndpointLost ? ['endpoint', 'job'] : ['job'], now());
    this.update({
      attempt,
      message,
      phase: isEndpointLost ? 'creating endpoint' : 'submitting job',
      earlierUsage: [...earlierUsage, gone],
      usage: { endpoint: isEndpointLost ? null : usageOf(this.current).endpoint, job: null },
    });
  }

  /**
   * Ends the usage span of a removed resource. With a budget, the run is signalled at once; else with the next change. `at`: ISO 8601;
   * default: now.
   */
  end(what: keyof Usage, at = now()): void {
    const before = usageOf(this.current);
    const usage = endSpan(before, what, at);
    if (usage === before) return;
    this.set({ usage });
    if (this.isCounted) this.signalRun();
  }

  /** Signals the run, which waits for it, that the endpoint is Ready. Rejects if the run no longer exists. */
  async ready(change: Partial<TaskSnapshot>): Promise<void> {
    this.set(change);
    if (this.isQuiet) return;
    await this.sending;
    this.sent = this.current;
    const { index } = this.current;
    await this.run()?.signal(endpointReady, { index, snapshot: withShortTexts(this.current) });
  }

  /**
   * Makes the last change. The workflow's result or failure carries it; a cancellation carries nothing, so it is signalled.
   * Resolves when every signal has been delivered, or the run is closed.
   */
  async finish(change: Partial<TaskSnapshot>): Promise<void> {
    this.set(change);
    if (this.current.outcome === 'cancelled') this.signalRun();
    await this.sending;
  }

  private set(change: Partial<TaskSnapshot>): void {
    this.current = { ...this.current, ...change };
    setCurrentDetails(taskDetails(this.current));
  }

  private signalRun(): void {
    this.signalsSent += 1;
    this.sending = this.sending.then(() => this.send());
  }

  private async send(): Promise<void> {
    const run = this.run();
    if (!run || this.sent === this.current) return;
    this.sent = this.current;
    const snapshot = this.current.phase === 'done' ? this.current : withShortTexts(this.current);
    try {
      await CancellationScope.nonCancellable(() => run.signal(taskChanged, snapshot));
    } catch {
      // The run is closed: this task continues and tears down on its own.
    }
  }

  private run(): ExternalWorkflowHandle | undefined {
    const { parent } = workflowInfo();
    return parent && getExternalWorkflowHandle(parent.workflowId, parent.runId);
  }
}

function withShortTexts(task: TaskSnapshot): TaskSnapshot {
  const { message, error } = task;
  return {
    ...task,
    message: message === null ? null : cut(message, maxTextInSignal),
    error: error === null ? null : { ...error, message: cut(error.message, maxTextInSignal) },
  };
}

const usageOf = ({ usage }: TaskSnapshot): Usage => usage ?? { endpoint: null, job: null };

/** Ends an open span; returns the same object if none is open. */
export function endSpan(usage: Usage, what: keyof Usage, at = now()): Usage {
  const span = usage[what];
  return span?.until === null ? { ...usage, [what]: { from: span.from, until: at } } : usage;
}

/** Returns workflow time, ISO 8601: the sandbox replaces Date. */
export const now = (): string => new Date().toISOString();
