import { AsyncLocalStorage } from 'node:async_hooks';
import { Context } from '@temporalio/activity';
import { observed } from '../contract/messages';
import type { Pace } from '../lepton/pace';
import type { Platform } from '../lepton/platforms';
import { releasedWords } from '../contract/last-request';
import { tellEndpointReleased, tellMessage } from './telling';
import { fitForHistory } from './wording';

/** Progress signals from a waiting activity to its task. They are rare: each adds four events to the task's history. */

export interface LastReport {
  readonly message: string;
  readonly atMs: number;
}

/** The wait of the running activity. */
export interface Waiting {
  /** Milliseconds since it was scheduled. */
  readonly elapsedMs: () => number;
  readonly isOver: () => boolean;
}

export const waiting = new AsyncLocalStorage<Waiting>();

/** By workflow run and activity type. In memory only: another worker starts with none. */
const lastReports = new Map<string, LastReport>();
const lastQuestions = new Map<string, LastQuestion>();
/** Milliseconds. Short, because the next poll waits for it. */
const reportTimeoutMs = 5_000;

/**
 * Whether an observation is worth a signal: its text has changed, and a tenth of the time waited so far has passed since the last
 * report. Without that pause, a text that changes with every poll would fill the history within days. Pure.
 */
export function isWorthReporting(
  look: { readonly message: string; readonly nowMs: number; readonly sinceMs: number },
  last: LastReport | undefined,
): boolean {
  if (!last) return true;
  return last.message !== look.message && look.nowMs - last.atMs >= (look.nowMs - look.sinceMs) / 10;
}

/**
 * Signals an observed state to the task's workflow if it changed since this worker's last report. Best effort: the message is
 * informational, and the next poll follows soon. `isAway`: the endpoint has just gone away, which is told and counted each time.
 */
export async function reportObservation(text: string, { isAway }: { readonly isAway?: true } = {}): Promise<void> {
  const { info, client } = Context.current();
  const execution = info.workflowExecution;
  const key = keyOf();
  if (!execution || key === undefined || waiting.getStore()?.isOver()) return;
  const message = fitForHistory(text);
  const nowMs = performance.now();
  if (!isAway && !isWorthReporting({ message, nowMs, sinceMs: nowMs - waitedMs() }, lastReports.get(key))) return;
  remember(lastReports, key, { message, atMs: nowMs });
  tellMessage(message);
  try {
    const task = client.workflow.getHandle(execution.workflowId, execution.runId);
    await client.withDeadline(Date.now() + reportTimeoutMs, () =>
      task.signal(observed, { message, from: info.activityType, ...(isAway ? { isAway } : {}) }),
    );
  } catch {
    lastReports.delete(key);
  }
}

/** Tells the task and its run that the job goes on without its endpoint; returns whether the task has heard it. */
export async function reportRelease(at: string): Promise<boolean> {
  const { info, client } = Context.current();
  const execution = info.workflowExecution;
  if (!execution) return true;
  tellEndpointReleased(at);
  try {
    const task = client.workflow.getHandle(execution.workflowId, execution.runId);
    const said = { message: releasedWords, from: info.activityType, endpointReleasedAt: at };
    await client.withDeadline(Date.now() + reportTimeoutMs, () => task.signal(observed, said));
    return true;
  } catch {
    return false;
  }
}

export interface LastQuestion {
  readonly state: string;
  readonly atMs: number;
  /** The answer. */
  readonly words: string;
}

/** Milliseconds that a state must last before its reason is asked for, and between two questions about the same state. */
const asking = {
  local: { firstAfterMs: 1_500, everyMs: 5_000 },
  lepton: { firstAfterMs: 6_000, everyMs: 30_000 },
} as const;

/**
 * Whether it is time to ask the platform why a resource is in its state: only if the answer would be reported, by the same rule
 * as `isWorthReporting`, and not when the wait has only just begun. Milliseconds. Pure.
 */
export function isWorthAsking(
  look: { readonly state: string; readonly nowMs: number; readonly waitedMs: number; readonly pace: Pace },
  last: LastQuestion | undefined,
): boolean {
  const { firstAfterMs, everyMs } = asking[look.pace];
  if (!last) return look.waitedMs >= firstAfterMs;
  const leastMs = last.state === look.state ? everyMs : firstAfterMs;
  return look.nowMs - last.atMs >= Math.max(leastMs, look.waitedMs / 10);
}

/**
 * Describes the state of the awaited resource and reports it to the task. The reason costs extra requests, so it is asked for
 * only if it would be reported, and only a few times per interval for all tasks together.
 */
export async function describeAndReport(
  state: string,
  { mayAsk, pace }: Pick<Platform, 'mayAsk' | 'pace'>,
  reason: () => Promise<string>,
): Promise<string> {
  const key = keyOf();
  if (key === undefined) return state;
  const last = lastQuestions.get(key);
  const nowMs = performance.now();
  const isKnown = last?.state === state;
  if (!isWorthAsking({ state, nowMs, waitedMs: waitedMs(), pace }, last) || !mayAsk()) {
    // A state that lasts is reported even if its reason has to wait.
    if (!isKnown && waitedMs() >= asking[pace].firstAfterMs) await reportIfTelling(key, state);
    return isKnown ? last.words : state;
  }
  const words = await reason();
  remember(lastQuestions, key, { state, words, atMs: nowMs });
  await reportIfTelling(key, words);
  return words;
}

/** States that the task's phase already implies: reported only to replace an earlier report. */
const expected: readonly string[] = ['Starting', 'Running'];

async function reportIfTelling(key: string, words: string): Promise<void> {
  if (!expected.includes(words) || lastReports.has(key)) await reportObservation(words);
}

const waitedMs = (): number => waiting.getStore()?.elapsedMs() ?? 0;

function keyOf(): string | undefined {
  const { workflowExecution, activityType } = Context.current().info;
  return workflowExecution && `${workflowExecution.workflowId}/${workflowExecution.runId}/${activityType}`;
}

/** Limits memory: a forgotten entry only causes one more report or question. */
function remember<T>(entries: Map<string, T>, key: string, entry: T): void {
  if (entries.size > 10_000) entries.clear();
  entries.set(key, entry);
}
