import { setTimeout as sleep } from 'node:timers/promises';
import picomatch from 'picomatch';
import type { JobObservation, LogOptions, RuntimeHost, RuntimeJob } from '../../runtime';
import type { LogSegment } from '../../logs/log-segments';
import { logLine, segmentsOf, type LogEntry } from './deployments';
import { endings, leaveMarker, type Cause } from './endings';
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
  /** Fires when it is ended from outside. */
  endTimer: NodeJS.Timeout | undefined;
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
  /** How many jobs of a rule were, or will be, ended from outside. */
  readonly #endingsUsed = new Map<JobRule, number>();
  readonly #journal: Journal;
  readonly #plan: Plan;
  readonly #host: RuntimeHost;

  constructor(options: { folder: string; plan: Plan; host: RuntimeHost }) {
    this.#journal = new Journal(options.folder);
    this.#plan = options.plan;
    this.#host = options.host;
  }

  create(job: RuntimeJob): void {
    const rule = ruleFor(this.#plan.jobs, job.name);
    const entry = this.#journal.read(job.id) ?? this.#born(rule);
    this.#journal.write(job.id, entry);
    const simulated: SimulatedJob = {
      job,
      rule,
      entry,
      timer: undefined,
      endTimer: undefined,
      writing: undefined,
    };
    this.#all.set(job.id, simulated);
    this.#scheduleResults(simulated);
    this.#scheduleEnding(simulated);
  }

  #born(rule: JobRule): JournalEntry {
    const bornAt = Date.now();
    const used = this.#endingsUsed.get(rule) ?? 0;
    if (rule.ended === undefined || used >= rule.ended.times) return { bornAt };
    this.#endingsUsed.set(rule, used + 1);
    return { bornAt, ending: { at: bornAt + rule.ended.after, by: rule.ended.by } };
  }

  /** Ends the running jobs whose name matches now; returns their number. */
  async end(name: string, by: Cause): Promise<number> {
    const running = [...this.#all.values()].filter(
      ({ job }) => picomatch.isMatch(job.name, name, { dot: true }) && !isTerminal(this.observe(job.id).state),
    );
    for (const job of running) {
      this.#save(job, { ...job.entry, ending: { at: Date.now(), by } });
      await this.#end(job);
    }
    return running.length;
  }

  #scheduleEnding(simulated: SimulatedJob): void {
    const { ending, endedAt, stoppedAt } = simulated.entry;
    if (ending === undefined || endedAt !== undefined || stoppedAt !== undefined) return;
    const delayMs = Math.min(Math.max(ending.at - Date.now(), 0), longestTimerMs);
    simulated.endTimer = setTimeout(() => void this.#end(simulated), delayMs);
    simulated.endTimer.unref();
  }

  async #end(simulated: SimulatedJob): Promise<void> {
    const { job, entry } = simulated;
    if (entry.ending === undefined || isTerminal(this.observe(job.id).state)) return;
    clearTimeout(simulated.timer);
    if (endings[entry.ending.by].isTold)
      await leaveMarker(job, this.#host).catch((error: unknown) =>
        this.#host.log('a simulated job could not write its marker', { job: job.id, error: String(error) }),
      );
    if (simulated.entry.stoppedAt === undefined) this.#save(simulated, { ...simulated.entry, endedAt: Date.now() });
  }

  observe(id: string): JobObservation {
    const found = this.#all.get(id);
    if (found === undefined) return { state: 'Stopped', message: undefined, completedAt: undefined };
    const { rule, entry } = found;
    if (entry.stoppedAt !== undefined) {
      return { state: 'Stopped', message: 'stopped on request', completedAt: entry.stoppedAt };
    }
    if (entry.ending !== undefined && entry.endedAt !== undefined) {
      const { state, message, note } = endings[entry.ending.by];
      return { state, message, completedAt: entry.endedAt, ...(note === undefined ? {} : { notes: [note] }) };
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
    clearTimeout(found.endTimer);
    this.#save(found, { ...found.entry, stoppedAt: Date.now() });
  }

  async delete(id: string): Promise<void> {
    const found = this.#all.get(id);
    if (found === undefined) return;
    clearTimeout(found.timer);
    clearTimeout(found.endTimer);
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
    for (const { timer, endTimer } of this.#all.values()) [timer, endTimer].forEach(clearTimeout);
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
    const overAt = entry.stoppedAt ?? entry.endedAt;
    const shown = momentsUntil(rule.states, (overAt ?? Date.now()) - entry.bornAt);
    const until = overAt === undefined ? this.#moment(found).since : Infinity;
    const end = entry.ending === undefined || entry.endedAt === undefined ? '' : endings[entry.ending.by].log;
    const states = shown
      .filter((moment) => moment.since <= until)
      .map((moment) => ({
        at: entry.bornAt + moment.since,
        text: logLine({ subject: job.name, moment, bornAt: entry.bornAt, rule }),
      }));
    const said = [...states, ...this.#bars(found), ...this.#answered(found)].sort((a, b) => a.at - b.at);
    return end === '' ? said : [...said, { at: entry.endedAt ?? entry.bornAt, text: end }];
  }

  /** What has been shown of the progress bar, which begins when the job runs and ends with it. */
  #bars({ rule, entry }: SimulatedJob): LogEntry[] {
    const now = (entry.stoppedAt ?? entry.endedAt ?? Date.now()) - entry.bornAt;
    const running = momentsUntil(rule.states, now).find(({ step }) => step.state.toLowerCase() === 'running');
    if (rule.progress === undefined || running === undefined) return [];
    const [from, last] = [running.since, running.since + (running.step.ms ?? Infinity)];
    const until = entry.bornAt + Math.min(now, last - 1);
    return progressBars({ ...rule.progress, from: entry.bornAt + from, until });
  }

  /** What a job's script writes once the harness has made its last request. */
  #answered({ job, rule, entry }: SimulatedJob): LogEntry[] {
    const nonce = job.spec.envs?.find(({ name }) => name === 'EVALSAGA_ANSWERED')?.value;
    const after = rule.answered ?? rule.progress?.over;
    const now = (entry.stoppedAt ?? entry.endedAt ?? Date.now()) - entry.bornAt;
    const running = momentsUntil(rule.states, now).find(({ step }) => step.state.toLowerCase() === 'running');
    if (nonce === undefined || after === undefined || running === undefined) return [];
    const since = running.since + after;
    if (now < since || after >= (running.step.ms ?? Infinity)) return [];
    return [{ at: entry.bornAt + since, text: `evalsaga: the last request is answered: 100%|${nonce}|\n` }];
  }

  /** Schedules the results for when the plan reaches Completed; at once if that was while the platform was down. */
  #scheduleResults(simulated: SimulatedJob): void {
    const { rule, entry } = simulated;
    const last = momentAt(rule.states, Infinity).step.state;
    if (!isCompleted(last) || rule.results === false) return;
    if (entry.resultsAt !== undefined || entry.stoppedAt !== undefined || entry.endedAt !== undefined) return;
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
