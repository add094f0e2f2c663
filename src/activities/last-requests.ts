import type { AwaitJobInput } from '../contract/inputs/job';
import { isAnsweredIn, nonceOf } from '../contract/last-request';
import type { JobProgress } from '../contract/job-progress';
import type { Pace } from '../lepton/pace';
import type { Platform } from '../lepton/platforms';
import type { Job } from '../lepton/types';
import { timeOfLog } from '../results/logs/newest-lines';
import { within } from '../support/within';
import { serverNow } from './server-time';

/** Looks whether running jobs have made their last request, after which their endpoints only cost money. */

/** Milliseconds between two looks at the log of the same job. `near`: it may be so any moment. */
const everyMs = {
  local: { usual: 1_000, near: 500 },
  // Somewhat more than between two questions about progress, whose answers tell it as well.
  lepton: { usual: 35_000, near: 5_000 },
} as const satisfies Readonly<Record<Pace, object>>;
/** Expected end of the requests, milliseconds from now, from which on it may be any moment. */
const nearMs = 60_000;
/** Milliseconds for one question. */
const questionMs = 5_000;
/** Lines that are asked for: a log store that can't search returns any. */
const lines = 60;

type Asked = Pick<AwaitJobInput, 'platform' | 'id'>;

interface Watched {
  readonly nonce: string;
  readonly createdAt: number | undefined;
  /** When its log was last read, by a monotonic clock. */
  readAtMs: number;
  isAsking: boolean;
  isAnswered: boolean;
  /** When the endpoint was released, ISO 8601. */
  releasedAt: string | undefined;
  isTold: boolean;
  onAnswered: (() => void) | undefined;
}

/** Returns the milliseconds until the next look. Pure. */
export function nextLookMs(
  progress: Pick<JobProgress, 'done' | 'total' | 'expectedEnd'> | undefined,
  { pace, nowMs }: { readonly pace: Pace; readonly nowMs: number },
): number {
  const { usual, near } = everyMs[pace];
  if (progress === undefined) return usual;
  const isAtEnd = progress.total !== null && progress.done >= progress.total;
  const restMs = progress.expectedEnd === null ? Infinity : Date.parse(progress.expectedEnd) - nowMs;
  return isAtEnd || restMs < nearMs ? near : Math.min(usual, restMs - nearMs + near);
}

export interface LogLook {
  readonly input: Asked;
  readonly platform: Pick<Platform, 'client' | 'pace' | 'mayAskLastRequest'>;
  readonly progress: JobProgress | undefined;
  readonly signal: AbortSignal;
}

interface Search extends Pick<LogLook, 'input' | 'signal'> {
  readonly platform: Pick<Platform, 'client'>;
}

/** What this worker knows of the last requests of the jobs that it waits for. In memory: another worker finds the mark in the log. */
export class LastRequests {
  private readonly watched = new Map<string, Watched>();

  /** Takes note of a job; returns whether its log tells of its last request. */
  know(input: Asked, job: Job | undefined): boolean {
    const nonce = nonceOf(job?.spec?.envs);
    const key = keyOf(input);
    if (nonce === undefined) return this.watched.has(key);
    if (this.watched.get(key)?.nonce === nonce) return true;
    // Bounds memory: what is forgotten is found in the log once more.
    if (this.watched.size > 10_000) this.watched.clear();
    this.watched.set(key, {
      nonce,
      createdAt: job?.metadata.created_at,
      readAtMs: performance.now(),
      isAsking: false,
      isAnswered: false,
      releasedAt: undefined,
      isTold: false,
      onAnswered: undefined,
    });
    return true;
  }

  isKnown = (input: Asked): boolean => this.watched.has(keyOf(input));

  isAnswered = (input: Asked): boolean => this.watched.get(keyOf(input))?.isAnswered === true;

  isReleased = (input: Asked): boolean => this.watched.get(keyOf(input))?.releasedAt !== undefined;

  /** Takes lines of the job's log that were read for something else. */
  hear(input: Asked, texts: readonly string[]): void {
    const job = this.watched.get(keyOf(input));
    if (!job || job.isAnswered) return;
    job.readAtMs = performance.now();
    if (!isAnsweredIn(texts, job.nonce)) return;
    job.isAnswered = true;
    job.onAnswered?.();
  }

  /** Asks in the background if it is time; returns in how many milliseconds to look again. Never throws. */
  look(look: LogLook): number {
    const { input, platform, progress } = look;
    const job = this.watched.get(keyOf(input));
    if (!job || job.isAnswered) return Infinity;
    const nextMs = nextLookMs(progress, { pace: platform.pace, nowMs: Date.now() });
    const isTime = performance.now() - job.readAtMs >= nextMs;
    if (isTime && !job.isAsking && platform.mayAskLastRequest()) void this.find(look).catch(() => undefined);
    return nextMs;
  }

  /** Calls back once the last request is seen to be answered. */
  onAnswered(input: Asked, listener: () => void): () => void {
    const job = this.watched.get(keyOf(input));
    if (!job) return () => undefined;
    job.onAnswered = listener;
    return () => {
      if (job.onAnswered === listener) job.onAnswered = undefined;
    };
  }

  /** Searches the job's whole log for its mark; returns whether it is there. Rejects if the platform gives no answer. */
  async find({ input, platform: { client }, signal }: Search): Promise<boolean> {
    const job = this.watched.get(keyOf(input));
    if (!job) return false;
    job.isAsking = true;
    job.readAtMs = performance.now();
    try {
      const range = { of: { job: input.id }, ...timeOfLog(job.createdAt), limit: lines, newest: true };
      const found = await within({ ms: questionMs, signal }, (bounded) =>
        client.logLines({ ...range, text: job.nonce }, { signal: bounded }),
      );
      this.hear(
        input,
        (found ?? []).map(({ text }) => text),
      );
      return job.isAnswered;
    } finally {
      job.isAsking = false;
    }
  }

  /** Returns what a user can do whose job failed although the model had done its part; empty if it had not. */
  howToGoOn(input: Asked & Pick<AwaitJobInput, 'invocation'>): string {
    if (!this.isAnswered(input)) return '';
    const released = this.isReleased(input) ? ', and its endpoint was released then' : '';
    return `all its requests had been answered${released} (execution.release_endpoint): evalsaga retry ${input.invocation} makes a new endpoint and takes the answers from the cache`;
  }

  /** Records that the endpoint is released; returns when that was, unless the task has been told. */
  released(input: Asked): { readonly at: string; readonly told: () => void } | undefined {
    const job = this.watched.get(keyOf(input));
    if (!job) return undefined;
    const at = (job.releasedAt ??= serverNow());
    if (job.isTold) return undefined;
    const told = (): void => {
      job.isTold = true;
    };
    return { at, told };
  }
}

const keyOf = ({ platform, id }: Asked): string => `${platform.workspace} ${id}`;
