import {
  CancellationScope,
  getExternalWorkflowHandle,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { TaskInput } from '../contract/inputs';
import { observed, taskChanged, taskStatus } from '../contract/messages';
import { pendingTask, type TaskPhase, type TaskSnapshot, type Usage } from '../contract/state';
import { taskDetails } from './details';

/** Phases in which something is looked at again and again. */
const observedPhases: readonly TaskPhase[] = ['awaiting ready', 'ready', 'running job'];

/** Messages that the run hears of at once. */
const freeNotes = 20;

/** The task's one snapshot: answers the query, shows in the Web UI, and goes to the run on every change. */
export class TaskProgress {
  private current: TaskSnapshot;
  private sent: TaskSnapshot | undefined;
  private sending: Promise<void> = Promise.resolve();
  private readonly isCounted: boolean;
  private notes = 0;
  private notedAt = 0;

  constructor({ run, task }: TaskInput) {
    this.isCounted = Boolean(run.budget);
    this.current = { ...pendingTask(task), startedAt: now() };
    setHandler(taskStatus, () => this.current);
    setHandler(observed, ({ message }) => {
      if (observedPhases.includes(this.current.phase)) this.note(message);
    });
  }

  get snapshot(): TaskSnapshot {
    return this.current;
  }

  update(change: Partial<TaskSnapshot>): void {
    this.current = { ...this.current, ...change };
    setCurrentDetails(taskDetails(this.current));
    this.sending = this.sending.then(() => this.send());
  }

  /**
   * A message alone: the run hears of it while there were few, then ever more rarely (the next phase tells it anyway), so
   * that days of changing messages don't fill its history.
   */
  private note(message: string): void {
    this.current = { ...this.current, message };
    setCurrentDetails(taskDetails(this.current));
    const age = Date.now() - Date.parse(this.current.startedAt ?? now());
    const isDue = this.notes < freeNotes || Date.now() - this.notedAt > age / 4;
    if (!isDue) return;
    this.notes += 1;
    this.notedAt = Date.now();
    this.update({});
  }

  /** An endpoint or job begins to exist, as far as can be known; its cost counts from here. */
  begin(what: keyof Usage, change: Partial<TaskSnapshot>): void {
    this.update({ ...change, usage: { ...usageOf(this.current), [what]: { from: now(), until: null } } });
  }

  /** It is gone. The run hears so at once where it counts costs, else with the next change. */
  end(what: keyof Usage): void {
    const before = usageOf(this.current);
    const usage = endSpan(before, what);
    if (usage === before) return;
    if (this.isCounted) this.update({ usage });
    else this.current = { ...this.current, usage };
  }

  /** Waits until the run has heard the last change (or can't hear any more). */
  async flush(): Promise<void> {
    await this.sending;
  }

  private async send(): Promise<void> {
    const { parent } = workflowInfo();
    if (!parent || this.sent === this.current) return;
    this.sent = this.current;
    try {
      const run = getExternalWorkflowHandle(parent.workflowId, parent.runId);
      await CancellationScope.nonCancellable(() => run.signal(taskChanged, this.current));
    } catch {
      // The run is closed: this task goes on and tears down by itself.
    }
  }
}

const usageOf = ({ usage }: TaskSnapshot): Usage => usage ?? { endpoint: null, job: null };

/** Ends a span that is open; the same object when there is none. */
export function endSpan(usage: Usage, what: keyof Usage): Usage {
  const span = usage[what];
  return span?.until === null ? { ...usage, [what]: { from: span.from, until: now() } } : usage;
}

/** The workflow's own clock, ISO 8601: the sandbox replaces Date. */
export const now = (): string => new Date().toISOString();
