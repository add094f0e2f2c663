import {
  CancellationScope,
  getExternalWorkflowHandle,
  patched,
  setCurrentDetails,
  setHandler,
  workflowInfo,
  type ExternalWorkflowHandle,
} from '@temporalio/workflow';
import type { TaskInput } from '../contract/inputs';
import { endpointReady, observed, taskChanged, taskStatus } from '../contract/messages';
import { pendingTask, type TaskPhase, type TaskSnapshot, type Usage } from '../contract/state';
import { taskDetails } from '../contract/details';
import { cut } from './fitting';
import { isWorthTelling, newsForPhases } from './signal-budget';

/** Phases in which something is looked at again and again. */
const observedPhases: readonly TaskPhase[] = ['awaiting ready', 'ready', 'running job'];

/** With fewer than that, phases that pass within seconds are not told by themselves. */
const passing: readonly TaskPhase[] = ['creating endpoint', 'submitting job'];
/** Of a text on its way: the whole of it comes with the task's end. */
const longestOnTheWay = 300;

/** The task's one snapshot: answers the query, shows in the Web UI, and goes to the run when it changes. */
export class TaskProgress {
  private current: TaskSnapshot;
  private sent: TaskSnapshot | undefined;
  private sending: Promise<void> = Promise.resolve();
  private readonly isCounted: boolean;
  private readonly news: number;
  private told = 0;
  private notedAt = 0;

  constructor({ run, task, news = newsForPhases }: TaskInput) {
    this.isCounted = Boolean(run.budget);
    this.news = news;
    this.current = { ...pendingTask(task), startedAt: now() };
    setHandler(taskStatus, () => this.current);
    setHandler(observed, (observation?: { message?: unknown }) => {
      const message = observation?.message;
      // Anybody can send a signal by hand, with anything in it or nothing.
      if (typeof message === 'string' && this.isObserved()) this.note(message);
    });
  }

  get snapshot(): TaskSnapshot {
    return this.current;
  }

  update(change: Partial<TaskSnapshot>): void {
    this.set(change);
    const isPassing = this.news < newsForPhases && passing.includes(this.current.phase);
    if (!isPassing && this.told < this.news) this.tell();
  }

  private isObserved(): boolean {
    const { phase } = this.current;
    if (observedPhases.includes(phase)) return true;
    // 2026-11-28: what holds up a create or a removal is said too.
    return phase !== 'pending' && phase !== 'done' && patched('all-phases-observed');
  }

  private note(message: string): void {
    this.set({ message });
    const { told, news, notedAt } = this;
    const startedAt = Date.parse(this.current.startedAt ?? now());
    if (!isWorthTelling({ told, news, startedAt, notedAt }, Date.now())) return;
    this.notedAt = Date.now();
    this.tell();
  }

  /** An endpoint or job begins to exist, as far as can be known; its cost counts from here. */
  begin(what: keyof Usage, change: Partial<TaskSnapshot>): void {
    const begun = { ...change, usage: { ...usageOf(this.current), [what]: { from: now(), until: null } } };
    if (!this.isCounted) return this.update(begun);
    this.set(begun);
    this.tell();
  }

  /** It is gone. The run hears so at once where it counts costs, else with the next change. */
  end(what: keyof Usage): void {
    const before = usageOf(this.current);
    const usage = endSpan(before, what);
    if (usage === before) return;
    this.set({ usage });
    if (this.isCounted) this.tell();
  }

  /** The endpoint is Ready, which the run waits for. Rejects when there is no run any more. */
  async ready(change: Partial<TaskSnapshot>): Promise<void> {
    this.set(change);
    await this.sending;
    this.sent = this.current;
    const { index } = this.current;
    await this.run()?.signal(endpointReady, { index, snapshot: onTheWay(this.current) });
  }

  /**
   * The last change. The workflow's result or failure tells it, except a cancel's, which carries nothing. Resolves when the
   * run has heard all that it is told (or can't hear any more).
   */
  async finish(change: Partial<TaskSnapshot>): Promise<void> {
    this.set(change);
    if (this.current.outcome === 'cancelled') this.tell();
    await this.sending;
  }

  private set(change: Partial<TaskSnapshot>): void {
    this.current = { ...this.current, ...change };
    setCurrentDetails(taskDetails(this.current));
  }

  private tell(): void {
    this.told += 1;
    this.sending = this.sending.then(() => this.send());
  }

  private async send(): Promise<void> {
    const run = this.run();
    if (!run || this.sent === this.current) return;
    this.sent = this.current;
    const news = this.current.phase === 'done' ? this.current : onTheWay(this.current);
    try {
      await CancellationScope.nonCancellable(() => run.signal(taskChanged, news));
    } catch {
      // The run is closed: this task goes on and tears down by itself.
    }
  }

  private run(): ExternalWorkflowHandle | undefined {
    const { parent } = workflowInfo();
    return parent && getExternalWorkflowHandle(parent.workflowId, parent.runId);
  }
}

function onTheWay(task: TaskSnapshot): TaskSnapshot {
  const { message, error } = task;
  return {
    ...task,
    message: message === null ? null : cut(message, longestOnTheWay),
    error: error === null ? null : { ...error, message: cut(error.message, longestOnTheWay) },
  };
}

const usageOf = ({ usage }: TaskSnapshot): Usage => usage ?? { endpoint: null, job: null };

/** Ends a span that is open; the same object when there is none. */
export function endSpan(usage: Usage, what: keyof Usage): Usage {
  const span = usage[what];
  return span?.until === null ? { ...usage, [what]: { from: span.from, until: now() } } : usage;
}

/** The workflow's own clock, ISO 8601: the sandbox replaces Date. */
export const now = (): string => new Date().toISOString();
