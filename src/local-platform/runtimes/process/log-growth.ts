import { appendFile, readFile, stat } from 'node:fs/promises';
import { minSpanMs, type LogSegment } from '../../logs/log-segments';

/** How often a log's size is checked, which is the precision of its lines' times. */
const CHECK_MS = 1_000;

interface WatchedLog {
  /** `undefined` until the file of segments has been read. */
  last: LogSegment | undefined;
  /** The checks of this log, one after the other. */
  checking: Promise<void>;
}

/**
 * Records when log files grow, because processes write lines without times: `<file>.times` gets a line for each check at
 * which the file had grown. It is kept over restarts. What was written between checks counts as written a millisecond
 * before the file's last change, because a line must be older than the end of its writer. Recorded segments never change:
 * the times of lines are derived from them alone.
 */
export class LogGrowthRecorder {
  readonly #watched = new Map<string, WatchedLog>();
  readonly #timer: NodeJS.Timeout;

  constructor() {
    this.#timer = setInterval(() => {
      for (const file of this.#watched.keys()) void this.#check(file);
    }, CHECK_MS);
    this.#timer.unref();
  }

  watch(file: string): void {
    if (!this.#watched.has(file)) this.#watched.set(file, { last: undefined, checking: Promise.resolve() });
  }

  /** Checks a completed log for the last time and returns its last segment; `undefined` if nothing was ever written. */
  async finish(file: string): Promise<LogSegment | undefined> {
    const watched = this.#watched.get(file);
    await this.#check(file);
    this.#watched.delete(file);
    return watched?.last;
  }

  /** Stops watching a file that is about to be removed, or that was complete before. */
  async forget(file: string): Promise<void> {
    const watched = this.#watched.get(file);
    this.#watched.delete(file);
    await watched?.checking;
  }

  /** Returns all segments of the file, up to now. */
  async segments(file: string): Promise<LogSegment[]> {
    await this.#check(file);
    return readSegments(file);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all([...this.#watched.values()].map(({ checking }) => checking));
  }

  #check(file: string): Promise<void> {
    const watched = this.#watched.get(file);
    if (!watched) return Promise.resolve();
    // A check fails if the file does not exist yet or any more; there is nothing to record then.
    watched.checking = watched.checking.then(() => record(file, watched)).catch(() => undefined);
    return watched.checking;
  }
}

async function record(file: string, watched: WatchedLog): Promise<void> {
  const { size, mtimeMs, birthtimeMs } = await stat(file);
  const previous = (watched.last ??= (await readSegments(file)).at(-1));
  if (size <= (previous?.size ?? 0)) return;
  const span = minSpanMs(size - (previous?.size ?? 0));
  const changedAt = Math.floor(mtimeMs) - 1;
  // File systems without creation times report 0, or the last change.
  const createdAt = birthtimeMs > 0 ? Math.floor(birthtimeMs) : changedAt - span;
  const earliest = previous?.at ?? createdAt;
  // Lines are spread over one check interval at most: a line after a long silence belongs to the end of it.
  const at = Math.max(changedAt, earliest + span);
  watched.last = { from: Math.max(earliest, at - Math.max(span, CHECK_MS)), at, size };
  await appendFile(timesOf(file), `${watched.last.from} ${at} ${size}\n`, { mode: 0o600 });
}

async function readSegments(file: string): Promise<LogSegment[]> {
  const text = await readFile(timesOf(file), 'utf8').catch(() => '');
  return text.split('\n').flatMap((line) => {
    const numbers = line.split(' ').map(Number);
    const [from = NaN, at = NaN, size = NaN] = numbers;
    return numbers.length === 3 && numbers.every(Number.isFinite) ? [{ from, at, size }] : [];
  });
}

const timesOf = (file: string): string => `${file}.times`;
