import { setTimeout as sleep } from 'node:timers/promises';
import { cancelRun, watchRun, type RunDescription } from '../../client';
import { audit } from '../../home/audit-file';
import { servingText, unansweredText } from '../render/serving';
import { whyStuck } from '../stuck-run';
import { harmlessLine } from '../../support/terminal-text';
import { describeDeath } from '../../stack/health';
import { servingOf, temporalAheadMs, type Serving } from '../../stack/pollers';
import { isMissing, isRunning, readRecord, type ServiceName } from '../../stack/record';
import { InfrastructureError } from '../../temporal/infrastructure-error';
import { isOutage } from '../../temporal/grpc';
import { retryDuringOutages } from '../../temporal/retry-during-outages';
import type { CommandContext } from '../command';
import { onInterrupts, type Interrupts } from './interrupts';
import { createView, type RunView } from './live-view';
import { programName } from '../program-name';
import type { Session } from '../session';

export interface Attachment {
  readonly session: Session;
  readonly context: CommandContext;
  readonly invocation: string;
  /** Task queue of the run. */
  readonly taskQueue: string;
  /** What the first Ctrl-C does: cancel the run, or leave at once (if a cancel was already requested). */
  readonly onInterrupt: 'cancel' | 'detach';
  /** The existing Ctrl-C listener; default: a new one. */
  readonly interrupts?: Interrupts;
  /** Ends the wait before the run ends, e.g. when the one task of interest is done. */
  readonly until?: (run: RunDescription) => boolean;
}

export type Attached = { readonly kind: 'ended'; readonly run: RunDescription } | { readonly kind: 'detached' };

const LOOK_MS = 500;
/** On a cluster, where others pay for each look or wait behind it: between looks while nothing changes. */
const QUIET_MS = 5_000;

const hints = {
  cancel: 'Ctrl-C cancels and tears down',
  detach: 'Ctrl-C ends the watching; the run goes on',
} as const;

/** Shows the run until it has ended and everything is torn down, or until the user leaves. */
export async function attach(attachment: Attachment): Promise<Attached> {
  const { context, onInterrupt } = attachment;
  const aheadMs = context.output.isLive ? await temporalAheadMs(attachment.session.client, attachment.taskQueue) : 0;
  const view = createView(context.output, { aheadMs, hint: hints[onInterrupt] });
  const leaving = new AbortController();
  const leave = (): void => leaving.abort();
  const cancel = (): void => {
    view.say(
      'cancelling: jobs are stopped, endpoints and storage removed, results so far brought home. Ctrl-C again leaves that to the background.',
    );
    cancelWithRetries({ attachment, view, signal: leaving.signal }).catch((error: unknown) =>
      view.say(
        `the cancel did not reach Temporal: ${error instanceof Error ? harmlessLine(error.message) : String(error)}`,
      ),
    );
  };
  const presses = { first: onInterrupt === 'cancel' ? cancel : leave, second: leave };
  const interrupts = attachment.interrupts ?? onInterrupts(presses);
  attachment.interrupts?.become(presses);
  const done = new AbortController();
  const seen: Seen = { run: undefined };
  const guard = watchBackground({ attachment, view, seen, signal: AbortSignal.any([leaving.signal, done.signal]) });
  try {
    const run = await follow(attachment, { view, seen, signal: leaving.signal });
    return run === undefined ? { kind: 'detached' } : { kind: 'ended', run };
  } finally {
    done.abort();
    interrupts.stop();
    view.end();
    await guard;
  }
}

/** Retries the cancel until Temporal has accepted it or the user leaves: it must not be lost silently. */
async function cancelWithRetries(cancel: {
  attachment: Attachment;
  view: RunView;
  signal: AbortSignal;
}): Promise<void> {
  const { attachment, view, signal } = cancel;
  try {
    const { home, env } = attachment.context;
    await audit(home, env, { action: 'cancel', invocation: attachment.invocation });
    await retryDuringOutages(() => cancelRun(attachment.session.client, attachment.invocation), {
      withinMs: Infinity,
      pauseMs: RETRY_MS,
      onAway: () => view.say('Temporal does not answer; the cancel is asked for again until it does'),
      signal,
    });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** The last description. */
interface Seen {
  run: RunDescription | undefined;
}

/** Returns the last description, or `undefined` if the user left. Survives a Temporal server that is away for a while. */
async function follow(
  attachment: Attachment,
  { view, seen, signal }: { view: RunView; seen: Seen; signal: AbortSignal },
): Promise<RunDescription | undefined> {
  const { session, context, invocation, until } = attachment;
  const pace = { intervalMs: LOOK_MS, quietMs: session.temporal.isEmbedded ? LOOK_MS : QUIET_MS, signal };
  let lostAt: number | undefined;
  for (;;) {
    try {
      for await (const run of watchRun(session.client, invocation, context.home, pace)) {
        if (lostAt !== undefined) view.say('Temporal answers again');
        lostAt = undefined;
        seen.run = run;
        view.show(run);
        if (run.status !== 'running' || until?.(run)) return run;
      }
      return undefined;
    } catch (error) {
      if (signal.aborted) return undefined;
      if (!isOutage(error)) throw error;
      if (lostAt === undefined)
        view.say(
          `Temporal does not answer; the run is safe and goes on with it. If it does not come back: ${programName(context.env)} up`,
        );
      lostAt ??= Date.now();
      if (Date.now() - lostAt > PATIENCE_MS) throw lost(attachment, error);
    }
    await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
  }
}

const RETRY_MS = 2_000;
const PATIENCE_MS = 180_000;

function lost({ context, invocation }: Attachment, cause: unknown): InfrastructureError {
  const program = programName(context.env);
  return new InfrastructureError(
    `Temporal has not answered for ${PATIENCE_MS / 60_000} minutes. The run ${invocation} is safe in it and goes on when it is back: ${program} up, then ${program} status ${invocation}`,
    { cause },
  );
}

const GUARD_MS = 5_000;
/** Rounds between checks for stalled workflows, which take a request per task. */
const STALL_ROUNDS = 6;

interface Watch {
  readonly attachment: Attachment;
  readonly view: RunView;
  readonly seen: Seen;
  readonly signal: AbortSignal;
}

/** Reports, once each, that no worker serves or can continue the run, or that the local platform has died. */
async function watchBackground(watch: Watch): Promise<void> {
  const { attachment, view, signal } = watch;
  const { home, env } = attachment.context;
  const reported = new Set<ServiceName>();
  const report = (name: ServiceName, why: string): void => {
    if (!reported.has(name)) view.say(`${why}\nThe run waits; it goes on with: ${programName(env)} up`);
    reported.add(name);
  };
  let stalled: string | undefined;
  for (let round = 1; ; round += 1) {
    await sleep(GUARD_MS, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    const [worker, platform] = await Promise.all([readRecord(home, 'worker'), readRecord(home, 'platform')]);
    if (isMissing(platform)) report('platform', describeDeath('platform', home));
    if (isRunning(worker)) reported.delete('worker');
    else if (isMissing(worker)) report('worker', describeDeath('worker', home));
    else if ((await serving(attachment)).kind === 'nobody')
      report('worker', `Nobody serves task queue "${attachment.taskQueue}".`);
    if (stalled !== undefined || round % STALL_ROUNDS !== 0) continue;
    // A dead worker doesn't answer either, and how to restart it has been reported.
    stalled = await whyStalled(watch, { isWorkerGone: reported.has('worker') });
    if (stalled !== undefined) view.say(stalled);
  }
}

/** Assumes that the queue is served if Temporal does not say. */
const serving = ({ session, taskQueue, invocation }: Attachment): Promise<Serving> =>
  servingOf(session.client, { taskQueue, invocation }).catch(() => ({ kind: 'served' }));

/** Says why running workers may not or can't continue the run; `undefined`: they do. */
async function whyStalled(
  { attachment, seen }: Watch,
  { isWorkerGone }: { readonly isWorkerGone: boolean },
): Promise<string | undefined> {
  const { session, context, invocation, taskQueue } = attachment;
  const served = await serving(attachment);
  const program = programName(context.env);
  if (served.kind === 'other builds') return servingText(served, { taskQueue, program });
  const text = await whyStuck({ invocation, snapshot: seen.run?.snapshot }, { client: session.client, program });
  return text ?? (seen.run?.isUnanswered && !isWorkerGone ? unansweredText(program) : undefined);
}
