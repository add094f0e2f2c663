import { minSpanMs, type LogSegment } from '../../logs/log-segments';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DeploymentObservation, LogOptions, RuntimeDeployment } from '../../runtime';
import { streamGrowingText } from './growing-text';
import { Journal, type JournalEntry } from './journal';
import { ruleFor, type EndpointRule, type Plan } from './plan';
import { momentAt, momentsUntil, type Moment } from './timeline';

interface SimulatedDeployment {
  readonly deployment: RuntimeDeployment;
  readonly rule: EndpointRule;
  minReplicas: number;
  entry: JournalEntry;
}

/** A plan may write states in upper or lower case. */
const isReady = (state: string): boolean => state.toLowerCase() === 'ready';

/** What serving a request needs to know of its deployment. */
export interface ServingState {
  readonly deployment: RuntimeDeployment;
  readonly rule: EndpointRule;
  readonly ready: boolean;
  /** Milliseconds since it became Ready. */
  readonly readyFor: number;
}

/**
 * Simulated deployments. Their state depends only on the time since creation, so a restart of the platform changes
 * nothing.
 */
export class SimulatedDeployments {
  readonly #all = new Map<string, SimulatedDeployment>();
  readonly #requestedAt = new Map<string, number>();
  readonly #journal: Journal;
  readonly #plan: Plan;
  readonly #urlOf: (name: string) => string | undefined;

  constructor(options: { folder: string; plan: Plan; urlOf: (name: string) => string | undefined }) {
    this.#journal = new Journal(options.folder);
    this.#plan = options.plan;
    this.#urlOf = options.urlOf;
  }

  create(deployment: RuntimeDeployment): void {
    const entry = this.#journal.read(deployment.name) ?? { bornAt: Date.now() };
    this.#journal.write(deployment.name, entry);
    const rule = ruleFor(this.#plan.endpoints, deployment.name);
    const minReplicas = deployment.spec.resource_requirement?.min_replicas ?? 1;
    this.#all.set(deployment.name, { deployment, rule, minReplicas, entry });
  }

  observe(name: string): DeploymentObservation {
    const found = this.#all.get(name);
    if (found === undefined) return { state: 'Stopped', url: undefined, readyReplicas: 0, message: undefined };
    const url = this.#urlOf(name);
    if (found.entry.stoppedAt !== undefined) return { state: 'Stopped', url, readyReplicas: 0, message: undefined };
    const { step, isLast } = momentAt(found.rule.states, Date.now() - found.entry.bornAt);
    return {
      state: step.state,
      url,
      readyReplicas: isReady(step.state) ? (found.rule.replicas ?? found.minReplicas) : 0,
      message: step.message ?? (isLast ? found.rule.message : undefined),
    };
  }

  scale(name: string, minReplicas: number): void {
    const found = this.#all.get(name);
    if (found === undefined) return;
    found.minReplicas = minReplicas;
    if (minReplicas === 0) this.#save(found, { ...found.entry, stoppedAt: found.entry.stoppedAt ?? Date.now() });
    else if (found.entry.stoppedAt !== undefined) this.#save(found, { bornAt: Date.now() });
  }

  restart(name: string): void {
    const found = this.#all.get(name);
    if (found !== undefined && found.entry.stoppedAt === undefined) this.#save(found, { bornAt: Date.now() });
  }

  async delete(name: string): Promise<void> {
    const found = this.#all.get(name);
    if (found?.rule.deleting !== undefined) await sleep(found.rule.deleting, undefined, { ref: false });
    this.#all.delete(name);
    this.#requestedAt.delete(name);
    this.#journal.remove(name);
  }

  log(name: string, options: LogOptions): AsyncIterable<Uint8Array> {
    let text = '';
    return streamGrowingText(() => {
      const found = this.#all.get(name);
      // What was sent can't be unsent: after a restart of the deployment only new readers see the new log.
      const now = found === undefined ? text : logOf(found);
      text = now.length >= text.length ? now : text;
      return { text, ended: found === undefined || found.entry.stoppedAt !== undefined };
    }, options);
  }

  logSegments(name: string): LogSegment[] {
    const found = this.#all.get(name);
    return found === undefined ? [] : segmentsOf(logEntries(found));
  }

  lastRequestAt(name: string): number {
    return this.#requestedAt.get(name) ?? 0;
  }

  /** Records a request to the deployment, and returns what serving it needs. */
  receiveRequest(name: string): ServingState | undefined {
    const found = this.#all.get(name);
    if (found === undefined) return undefined;
    this.#requestedAt.set(name, Date.now());
    const elapsed = Date.now() - found.entry.bornAt;
    const { step, since } = momentAt(found.rule.states, elapsed);
    const ready = found.entry.stoppedAt === undefined && isReady(step.state);
    return { deployment: found.deployment, rule: found.rule, ready, readyFor: elapsed - since };
  }

  #save(found: SimulatedDeployment, entry: JournalEntry): void {
    this.#journal.write(found.deployment.name, entry);
    found.entry = entry;
  }
}

const logOf = (found: SimulatedDeployment): string =>
  logEntries(found)
    .map(({ text }) => text)
    .join('');

function logEntries({ deployment, rule, entry }: SimulatedDeployment): LogEntry[] {
  const moments = momentsUntil(rule.states, (entry.stoppedAt ?? Date.now()) - entry.bornAt);
  return moments.map((moment) => ({
    at: entry.bornAt + moment.since,
    text: logLine({ subject: deployment.name, moment, bornAt: entry.bornAt, rule }),
  }));
}

/** Text that is added to the log at a certain time. */
export interface LogEntry {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly text: string;
}

/**
 * Returns the segments of a log. Each entry is written from its time on, except that the last one is complete before
 * `end`: clients query the time up to a job's end, exclusively. Pure.
 */
export function segmentsOf(entries: readonly LogEntry[], end = Infinity): LogSegment[] {
  let size = 0;
  let last = -Infinity;
  return entries.map(({ at, text }) => {
    const bytes = Buffer.byteLength(text);
    const span = minSpanMs(bytes);
    const from = Math.max(last, Math.min(at, end - 1 - span));
    last = from + span;
    return { from, at: last, size: (size += bytes) };
  });
}

/** Returns the log line of a state; the last state's is followed by the plan's `log`. */
export function logLine(parts: {
  readonly subject: string;
  readonly moment: Moment;
  readonly bornAt: number;
  readonly rule: { readonly log?: string | undefined };
}): string {
  const { moment, rule, subject } = parts;
  const line = `${new Date(parts.bornAt + moment.since).toISOString()} ${subject} ${moment.step.state}\n`;
  if (!moment.isLast || rule.log === undefined) return line;
  return `${line}${rule.log.endsWith('\n') ? rule.log : `${rule.log}\n`}`;
}
