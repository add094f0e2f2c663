import { appendFile, readFile, stat } from 'node:fs/promises';
import type { LogMark } from '../../logs/log-marks';

/** How often a log is looked at: the precision of its lines' times. */
const LOOK_MS = 1_000;

interface Watched {
  /** `undefined`: not read yet. */
  size: number | undefined;
  /** The looks at this log, one after the other. */
  looking: Promise<void>;
}

/**
 * Notes when log files grow, as processes write them without times: beside each file in `<file>.times`, a line per look at
 * which it had grown. Kept over restarts; what was written meanwhile counts as written when the file was last changed, less a
 * millisecond: a line is older than the end of its writer in the same millisecond, and its time must not move when that comes.
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
    if (!this.#watched.has(file)) this.#watched.set(file, { size: undefined, looking: Promise.resolve() });
  }

  /** The file is about to be removed. */
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
  const { size, mtimeMs } = await stat(file);
  const marks = watched.size === undefined ? await readMarks(file) : [];
  const known = (watched.size ??= marks.at(-1)?.size ?? 0);
  if (size <= known) return;
  watched.size = size;
  await appendFile(timesOf(file), `${Math.floor(mtimeMs) - 1} ${size}\n`, { mode: 0o600 });
}

async function readMarks(file: string): Promise<LogMark[]> {
  const text = await readFile(timesOf(file), 'utf8').catch(() => '');
  return text.split('\n').flatMap((line) => {
    const [at = NaN, size = NaN] = line.split(' ').map(Number);
    return line !== '' && Number.isFinite(at) && Number.isFinite(size) ? [{ at, size }] : [];
  });
}

const timesOf = (file: string): string => `${file}.times`;
