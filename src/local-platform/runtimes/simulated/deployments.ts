import { leastSpanMs, type LogMark } from '../../logs/log-marks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DeploymentObservation, LogOptions, RuntimeDeployment } from '../../runtime';
import { streamGrowingText } from './growing-text';
import { Journal, type JournalEntry } from './journal';
import { ruleFor, type EndpointRule, type Plan } from './plan';
import { momentAt, momentsUntil, type Moment } from './timeline';

interface Simulated {
  readonly deployment: RuntimeDeployment;
  readonly rule: EndpointRule;
  minReplicas: number;
  entry: JournalEntry;
}

/** A plan may write its states in any case. */
const isReady = (state: string): boolean => state.toLowerCase() === 'ready';

/** A deployment as its HTTP side needs it. */
export interface Served {
  readonly deployment: RuntimeDeployment;
  readonly rule: EndpointRule;
  readonly ready: boolean;
  /** Milliseconds since it got Ready. */
  readonly readyFor: number;
}

/** Simulated deployments: their state follows from the time since their creation alone, so a restart changes nothing. */
export class SimulatedDeployments {
  readonly #all = new Map<string, Simulated>();
  readonly #askedAt = new Map<string, number>();
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
    if (minReplicas === 0) this.#keep(found, { ...found.entry, stoppedAt: found.entry.stoppedAt ?? Date.now() });
    else if (found.entry.stoppedAt !== undefined) this.#keep(found, { bornAt: Date.now() });
  }

  restart(name: string): void {
    const found = this.#all.get(name);
    if (found !== undefined && found.entry.stoppedAt === undefined) this.#keep(found, { bornAt: Date.now() });
  }

  async delete(name: string): Promise<void> {
    const found = this.#all.get(name);
    if (found?.rule.deleting !== undefined) await sleep(found.rule.deleting, undefined, { ref: false });
    this.#all.delete(name);
    this.#askedAt.delete(name);
    this.#journal.remove(name);
  }

  log(name: string, options: LogOptions): AsyncIterable<Uint8Array> {
    let text = '';
    return streamGrowingText(() => {
      const found = this.#all.get(name);
      // A text that was sent stays sent: a restart of the deployment begins its log anew for new readers only.
      const now = found === undefined ? text : logOf(found);
      text = now.length >= text.length ? now : text;
      return { text, ended: found === undefined || found.entry.stoppedAt !== undefined };
    }, options);
  }

  logMarks(name: string): LogMark[] {
    const found = this.#all.get(name);
    return found === undefined ? [] : marksOf(logPieces(found));
  }

  lastRequestAt(name: string): number {
    return this.#askedAt.get(name) ?? 0;
  }

  /** For a request that came in. */
  asked(name: string): Served | undefined {
    const found = this.#all.get(name);
    if (found === undefined) return undefined;
    this.#askedAt.set(name, Date.now());
    const elapsed = Date.now() - found.entry.bornAt;
    const { step, since } = momentAt(found.rule.states, elapsed);
    const ready = found.entry.stoppedAt === undefined && isReady(step.state);
    return { deployment: found.deployment, rule: found.rule, ready, readyFor: elapsed - since };
  }

  #keep(found: Simulated, entry: JournalEntry): void {
    this.#journal.write(found.deployment.name, entry);
    found.entry = entry;
  }
}

const logOf = (found: Simulated): string =>
  logPieces(found)
    .map(({ text }) => text)
    .join('');

function logPieces({ deployment, rule, entry }: Simulated): LogPiece[] {
  const moments = momentsUntil(rule.states, (entry.stoppedAt ?? Date.now()) - entry.bornAt);
  return moments.map((moment) => ({
    at: entry.bornAt + moment.since,
    text: logLine({ subject: deployment.name, moment, bornAt: entry.bornAt, rule }),
  }));
}

/** What the log got at a time. */
export interface LogPiece {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly text: string;
}

/**
 * Each piece is written from its time on; one that comes with the end, before it: clients ask for the time until then, which
 * they leave out. Pure.
 */
export function marksOf(pieces: readonly LogPiece[], end = Infinity): LogMark[] {
  let size = 0;
  let last = -Infinity;
  return pieces.map(({ at, text }) => {
    const bytes = Buffer.byteLength(text);
    const span = leastSpanMs(bytes);
    const from = Math.max(last, Math.min(at, end - 1 - span));
    last = from + span;
    return { from, at: last, size: (size += bytes) };
  });
}

/** A line for each state, and what the plan has to say at the last one. */
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
