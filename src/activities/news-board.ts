import type { TaskNews } from '../contract/state';
import { mergedNews } from '../contract/task-news';

/**
 * Collects what the activities of this worker tell the runs of their tasks: one signal carries the news of many tasks. Each signal costs
 * a run four events, and a run can't have more than 51,200.
 */

/** Sends news to a run. `gone`: the run has closed. */
export type SendNews = (news: readonly TaskNews[]) => Promise<'sent' | 'gone'>;

export interface Traffic {
  /** Milliseconds since this worker first heard of the run. */
  readonly ageMs: number;
  /** How many of its tasks have told something. */
  readonly tasks: number;
  /** There is more to tell than what the platform says. */
  readonly isPhase: boolean;
}

/**
 * Returns the least time between two signals to a run, milliseconds. Phases of few tasks are few; those of many tasks, and messages,
 * are told ever more rarely, so that the number of signals grows with the logarithm of the run's age. Pure.
 */
export function signalIntervalMs({ ageMs, tasks, isPhase }: Traffic): number {
  const usual = Math.min(Math.max(50, tasks * 15), 1_000);
  const share = isPhase ? Math.min(1, tasks / 200) : 1;
  return Math.max(usual, (ageMs / 50) * share);
}

/** Bytes of JSON in one signal, and of the longest news, roughly. */
const maxSignalBytes = 48_000;
/** Milliseconds until news are sent again after a failure. */
const retryMs = 2_000;
/** Signals to one run from this worker: the last of them are news of days. */
const mostSignals = 3_000;
/** Runs remembered. */
const mostRuns = 500;

/** What is known about one run. */
class RunBoard {
  private readonly pending = new Map<number, TaskNews>();
  /** The last phase that each task told, so that retries don't repeat it. */
  private readonly told = new Map<number, string>();
  private readonly heardAt: number;
  private lastSentAt = -Infinity;
  private signals = 0;
  private timer: NodeJS.Timeout | undefined;
  private isSending = false;
  private isGone = false;

  constructor(
    private readonly send: SendNews,
    private readonly now: () => number,
  ) {
    this.heardAt = now();
  }

  get isIdle(): boolean {
    return this.pending.size === 0 && !this.isSending;
  }

  tell(news: TaskNews): void {
    if (this.isGone || this.signals >= mostSignals) return;
    const said = JSON.stringify(news);
    if (this.told.get(news.index) === said) return;
    if (news.phase !== undefined || !this.told.has(news.index)) this.told.set(news.index, said);
    this.add(news);
    this.schedule();
  }

  /** Sends at once what is waiting. */
  async flush(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.isSending || this.pending.size === 0) return;
    this.isSending = true;
    const all = [...this.pending.values()];
    this.pending.clear();
    try {
      for (const part of inParts(all)) await this.sendPart(part);
    } finally {
      this.isSending = false;
      this.schedule();
    }
  }

  private async sendPart(part: readonly TaskNews[]): Promise<void> {
    this.signals += 1;
    this.lastSentAt = this.now();
    try {
      if ((await this.send(part)) === 'gone') this.isGone = true;
    } catch {
      this.lastSentAt = this.now() + retryMs;
      for (const news of part) this.add(news, { isEarlier: true });
    }
  }

  private add(news: TaskNews, { isEarlier = false } = {}): void {
    const other = this.pending.get(news.index);
    if (other === undefined) this.pending.set(news.index, news);
    else this.pending.set(news.index, isEarlier ? mergedNews(news, other) : mergedNews(other, news));
  }

  private schedule(): void {
    if (this.pending.size === 0 || this.isSending || this.isGone) return;
    clearTimeout(this.timer);
    const isPhase = [...this.pending.values()].some(({ phase, ended }) => phase !== undefined || ended !== undefined);
    const traffic = { ageMs: this.now() - this.heardAt, tasks: this.told.size, isPhase };
    const delayMs = Math.max(0, this.lastSentAt + signalIntervalMs(traffic) - this.now());
    this.timer = setTimeout(() => void this.flush(), delayMs);
    this.timer.unref();
  }
}

/** The news of a worker for all its runs. */
export class NewsBoard {
  private readonly runs = new Map<string, RunBoard>();

  constructor(private readonly now: () => number = () => performance.now()) {}

  /** `run`: any key of the run's execution; `send`: used for the first news of a run and all that follow. */
  tell(run: string, news: TaskNews, send: SendNews): void {
    let board = this.runs.get(run);
    if (!board) {
      if (this.runs.size >= mostRuns) this.forgetIdle();
      this.runs.set(run, (board = new RunBoard(send, this.now)));
    }
    board.tell(news);
  }

  /** Sends everything that is waiting. */
  async flush(): Promise<void> {
    await Promise.all([...this.runs.values()].map((board) => board.flush()));
  }

  /** A forgotten run is only told something twice. */
  private forgetIdle(): void {
    for (const [key, board] of this.runs) if (board.isIdle) this.runs.delete(key);
  }
}

function inParts(all: readonly TaskNews[]): TaskNews[][] {
  const parts: TaskNews[][] = [];
  let room = 0;
  for (const news of all) {
    const bytes = Buffer.byteLength(JSON.stringify(news));
    if (room < bytes) {
      parts.push([]);
      room = maxSignalBytes;
    }
    parts.at(-1)?.push(news);
    room -= bytes;
  }
  return parts;
}
