import { setTimeout as sleep } from 'node:timers/promises';
import type { JobObservation, LogOptions, RuntimeHost, RuntimeJob } from '../../runtime';
import type { LogSegment } from '../../logs/log-segments';
import { logLine, segmentsOf, type LogEntry } from './deployments';
import { streamGrowingText } from './growing-text';
import { Journal, type JournalEntry } from './journal';
import { ruleFor, type JobRule, type Plan } from './plan';
import { progressBars } from './progress-bar';
import { writeResults } from './results';
import { lengthOf, momentAt, momentsUntil } from './timeline';

interface SimulatedJob {
  readonly job: RuntimeJob;
  readonly rule: JobRule;
  entry: JournalEntry;
  /** Fires at the end of the timeline. */
  timer: NodeJS.Timeout | undefined;
  /** Resolves when the results are written. */
  writing: Promise<void> | undefined;
}

const terminalStates = new Set(['completed', 'failed', 'stopped']);
/** A plan may write states in upper or lower case. */
const isTerminal = (state: string): boolean => terminalStates.has(state.toLowerCase());
const isCompleted = (state: string): boolean => state.toLowerCase() === 'completed';
/** The longest delay that `setTimeout` accepts. */
const longestTimerMs = 2 ** 31 - 1;

/** Simulated jobs. A job is Completed only once its results are written. */
export class SimulatedJobs {
  readonly #all = new Map<string, SimulatedJob>();
  readonly #journal: Journal;
  readonly #plan: Plan;
  readonly #host: RuntimeHost;

  constructor(options: { folder: string; plan: Plan; host: RuntimeHost }) {
    this.#journal = new Journal(options.folder);
    this.#plan = options.plan;
    this.#host = options.host;
  }

  create(job: RuntimeJob): void {
    const entry = this.#journal.read(job.id) ?? { bornAt: Date.now() };
    this.#journal.write(job.id, entry);
    const simulated: SimulatedJob = {
      job,
      rule: ruleFor(this.#plan.jobs, job.name),
      entry,
      timer: undefined,
      writing: undefined,
    };
    this.#all.set(job.id, simulated);
    this.#scheduleResults(simulated);
  }

  observe(id: string): JobObservation {
    const found = this.#all.get(id);
    if (found === undefined) return { state: 'Stopped', message: undefined, completedAt: undefined };
    const { rule, entry } = found;
    if (entry.stoppedAt !== undefined) {
      return { state: 'Stopped', message: 'stopped on request', completedAt: entry.stoppedAt };
    }
    const { step, since, isLast } = this.#moment(found);
    return {
      state: step.state,
      message: step.message ?? (isLast ? rule.message : undefined),
      completedAt: isTerminal(step.state) ? entry.bornAt + since : undefined,
    };
  }

  stop(id: string): void {
    const found = this.#all.get(id);
    if (found === undefined || isTerminal(this.observe(id).state)) return;
    clearTimeout(found.timer);
    this.#save(found, { ...found.entry, stoppedAt: Date.now() });
  }

  async delete(id: string): Promise<void> {
    const found = this.#all.get(id);
    if (found === undefined) return;
    clearTimeout(found.timer);
    if (found.rule.deleting !== undefined) await sleep(found.rule.deleting, undefined, { ref: false });
    await found.writing;
    this.#all.delete(id);
    this.#journal.remove(id);
  }

  log(id: string, options: LogOptions): AsyncIterable<Uint8Array> {
    let text = '';
    return streamGrowingText(() => {
      const found = this.#all.get(id);
      if (found === undefined) return { text, ended: true };
      text = this.#logOf(found);
      return { text, ended: isTerminal(this.observe(id).state) };
    }, options);
  }

  logSegments(id: string): LogSegment[] {
    const found = this.#all.get(id);
    return found === undefined ? [] : segmentsOf(this.#logEntries(found), this.observe(id).completedAt);
  }

  async detach(): Promise<void> {
    for (const { timer } of this.#all.values()) clearTimeout(timer);
    await Promise.allSettled([...this.#all.values()].map(async ({ writing }) => writing));
  }

  /** Returns the planned moment, or the one before Completed until the results are written. */
  #moment({ rule, entry }: SimulatedJob) {
    const moments = momentsUntil(rule.states, Date.now() - entry.bornAt);
    const now = moments.at(-1) ?? moments[0];
    if (!isCompleted(now.step.state) || entry.resultsAt !== undefined || rule.results === false) return now;
    return moments.at(-2) ?? { ...now, step: { ...now.step, state: 'Running' } };
  }

  #logOf(found: SimulatedJob): string {
    return this.#logEntries(found)
      .map(({ text }) => text)
      .join('');
  }

  #logEntries(found: SimulatedJob): LogEntry[] {
    const { rule, entry, job } = found;
    const shown = momentsUntil(rule.states, (entry.stoppedAt ?? Date.now()) - entry.bornAt);
    const until = entry.stoppedAt === undefined ? this.#moment(found).since : Infinity;
    const states = shown
      .filter((moment) => moment.since <= until)
      .map((moment) => ({
        at: entry.bornAt + moment.since,
        text: logLine({ subject: job.name, moment, bornAt: entry.bornAt, rule }),
      }));
    return [...states, ...this.#bars(found)].sort((a, b) => a.at - b.at);
  }

  /** What has been shown of the progress bar, which begins when the job runs and ends with it. */
  #bars({ rule, entry }: SimulatedJob): LogEntry[] {
    const now = (entry.stoppedAt ?? Date.now()) - entry.bornAt;
    const running = momentsUntil(rule.states, now).find(({ step }) => step.state.toLowerCase() === 'running');
    if (rule.progress === undefined || running === undefined) return [];
    const [from, end] = [running.since, running.since + (running.step.ms ?? Infinity)];
    const until = entry.bornAt + Math.min(now, end - 1);
    return progressBars({ ...rule.progress, from: entry.bornAt + from, until });
  }

  /** Schedules the results for when the plan reaches Completed; at once if that was while the platform was down. */
  #scheduleResults(simulated: SimulatedJob): void {
    const { rule, entry } = simulated;
    const last = momentAt(rule.states, Infinity).step.state;
    if (!isCompleted(last) || rule.results === false) return;
    if (entry.resultsAt !== undefined || entry.stoppedAt !== undefined) return;
    const remainingMs = entry.bornAt + lengthOf(rule.states) - Date.now();
    simulated.timer = setTimeout(
      () => {
        if (remainingMs > longestTimerMs) this.#scheduleResults(simulated);
        else simulated.writing = this.#complete(simulated);
      },
      Math.min(Math.max(remainingMs, 0), longestTimerMs),
    );
    simulated.timer.unref();
  }

  async #complete(simulated: SimulatedJob): Promise<void> {
    const { job, rule, entry } = simulated;
    const endedAt = entry.bornAt + lengthOf(rule.states);
    try {
      await writeResults(job, this.#host, {
        metrics: rule.metrics,
        files: rule.files ?? {},
        startedAt: entry.bornAt,
        endedAt,
      });
    } catch (error) {
      this.#host.log('a simulated job could not write its results', { job: job.id, error: String(error) });
    }
    if (simulated.entry.stoppedAt === undefined) this.#save(simulated, { ...simulated.entry, resultsAt: Date.now() });
  }

  #save(found: SimulatedJob, entry: JournalEntry): void {
    this.#journal.write(found.job.id, entry);
    found.entry = entry;
  }
}
