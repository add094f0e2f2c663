import { appendFile, readFile, stat } from 'node:fs/promises';
import { leastSpanMs, type LogMark } from '../../logs/log-marks';

/** How often a log is looked at: the precision of its lines' times. */
const LOOK_MS = 1_000;

interface Watched {
  /** `undefined`: not read yet. */
  last: LogMark | undefined;
  /** The looks at this log, one after the other. */
  looking: Promise<void>;
}

/**
 * Notes when log files grow, as processes write them without times: beside each file in `<file>.times`, a line per look at
 * which it had grown. Kept over restarts; what was written meanwhile counts as written when the file was last changed, less a
 * millisecond: a line is older than the end of its writer in the same millisecond. What is noted never changes: the times of
 * lines follow from it alone.
 */
export class LogGrowth {
  readonly #watched = new Map<string, Watched>();
  readonly #timer: NodeJS.Timeout;

  constructor() {
    this.#timer = setInterval(() => {
      for (const file of this.#watched.keys()) void this.#look(file);
    }, LOOK_MS);
    this.#timer.unref();
  }

  watch(file: string): void {
    if (!this.#watched.has(file)) this.#watched.set(file, { last: undefined, looking: Promise.resolve() });
  }

  /** The log is over: a last look, and what was seen then. `undefined`: nothing was ever written. */
  async finish(file: string): Promise<LogMark | undefined> {
    const watched = this.#watched.get(file);
    await this.#look(file);
    this.#watched.delete(file);
    return watched?.last;
  }

  /** The file is about to be removed, or was over before. */
  async forget(file: string): Promise<void> {
    const watched = this.#watched.get(file);
    this.#watched.delete(file);
    await watched?.looking;
  }

  /** All that is known of the file's growth, up to now. */
  async marks(file: string): Promise<LogMark[]> {
    await this.#look(file);
    return readMarks(file);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all([...this.#watched.values()].map(({ looking }) => looking));
  }

  #look(file: string): Promise<void> {
    const watched = this.#watched.get(file);
    if (!watched) return Promise.resolve();
    // A look that fails (the file is not there yet, or no more) is one that saw nothing.
    watched.looking = watched.looking.then(() => note(file, watched)).catch(() => undefined);
    return watched.looking;
  }
}

async function note(file: string, watched: Watched): Promise<void> {
  const { size, mtimeMs, birthtimeMs } = await stat(file);
  const known = (watched.last ??= (await readMarks(file)).at(-1));
  if (size <= (known?.size ?? 0)) return;
  const span = leastSpanMs(size - (known?.size ?? 0));
  const changed = Math.floor(mtimeMs) - 1;
  // A file system that does not keep when a file was made says 0, or the last change.
  const begun = birthtimeMs > 0 ? Math.floor(birthtimeMs) : changed - span;
  const earliest = known?.at ?? begun;
  // Lines are spread over no more than a look: one that comes after a long silence belongs to its end.
  const at = Math.max(changed, earliest + span);
  watched.last = { from: Math.max(earliest, at - Math.max(span, LOOK_MS)), at, size };
  await appendFile(timesOf(file), `${watched.last.from} ${at} ${size}\n`, { mode: 0o600 });
}

async function readMarks(file: string): Promise<LogMark[]> {
  const text = await readFile(timesOf(file), 'utf8').catch(() => '');
  return text.split('\n').flatMap((line) => {
    const numbers = line.split(' ').map(Number);
    const [from = NaN, at = NaN, size = NaN] = numbers;
    return numbers.length === 3 && numbers.every(Number.isFinite) ? [{ from, at, size }] : [];
  });
}

const timesOf = (file: string): string => `${file}.times`;
