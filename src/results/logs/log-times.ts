import { readFile, rm, stat } from 'node:fs/promises';
import { z } from 'zod';
import { messageOf } from '../../support/error-message';
import { maskOf } from '../../secrets/masking';
import type { TimedLine } from '../../lepton/types';
import { linesBackward } from './lines-backward';
import { newestLines, type NewestLinesRequest } from './newest-lines';
import { writeJson } from '../../support/atomic-file';

/**
 * Keeps the times at which the lines of a saved log were written, in a small file beside it (`job.log.times.json`). Lines are counted
 * from the end, so that masking, rotation and omissions in the middle don't shift them.
 */

const timesSchema = z.object({
  version: z.literal(1),
  /** Size of the log, bytes. */
  size: z.number(),
  /** Lines within this many milliseconds share a sample. */
  resolution: z.number(),
  /** `[lines from here to the end, time in milliseconds since the epoch]`, newest first; each is the first line of its time span. */
  samples: z.array(z.tuple([z.number(), z.number()])),
  /** Whether the times of all lines are known; otherwise those before the last sample are not. */
  complete: z.boolean(),
  /** Why there are no samples. */
  reason: z.string().optional(),
});
type LogTimes = z.infer<typeof timesSchema>;

const timesFile = (log: string): string => `${log}.times.json`;

/** Limit on the samples of one log; beyond it, each covers twice the time. */
const maxSamples = 4_096;
const finestResolutionMs = 100;

/** Lines that must agree for the platform's log and the saved one to be aligned. */
const linesToAlign = 20;

export interface RecordTimesRequest extends NewestLinesRequest {
  /** The saved log. */
  readonly file: string;
  /** Values that are masked in it. */
  readonly secrets: readonly string[];
}

/**
 * Asks the platform when the lines of a saved log were written, newest first, and writes the times beside the log. If they are not
 * available (no times, lines that differ from the saved ones, an abort), the file says why. Never rejects because of the platform.
 */
export async function recordLogTimes(request: RecordTimesRequest): Promise<void> {
  const { file } = request;
  await rm(timesFile(file), { force: true });
  const size = await stat(file).then(
    (found) => found.size,
    () => 0,
  );
  if (size === 0) return;
  const samples = new Samples();
  let reason = 'the platform returned no times for its lines';
  let complete = false;
  try {
    const outcome = await sample(request, samples);
    complete = outcome === 'all';
    if (outcome === 'other') reason = "the platform's log by time has other lines than the saved log";
  } catch (error) {
    reason = `the platform did not return the times: ${messageOf(error)}`;
  }
  const known = samples.all();
  const times: LogTimes = { version: 1, size, resolution: samples.resolution, samples: known, complete };
  await writeJson(timesFile(file), known.length > 0 ? times : { ...times, reason });
}

/** Returns how far the two logs agree: to the beginning (`all`), to where they differ or times end (`part`), nowhere (`other`). */
async function sample(request: RecordTimesRequest, samples: Samples): Promise<'all' | 'part' | 'other' | 'none'> {
  const saved = linesBackward(request.file);
  const masked = maskOf(request.secrets);
  try {
    let matcher: Matcher | undefined;
    for await (const page of newestLines(request)) {
      const lines = page.map(({ at, text }) => ({ at, text: comparable(masked(text)) }));
      matcher ??= await Matcher.aligned(saved, lines, samples);
      if (matcher === undefined) return 'other';
      if (!(await matcher.take(lines))) return matcher.isAtStart ? 'all' : 'part';
    }
    if (matcher === undefined) return 'none';
    return (await matcher.isExhausted()) ? 'all' : 'part';
  } finally {
    await saved.return(undefined);
  }
}

/** Log systems drop trailing carriage returns and blanks. */
const comparable = (text: string): string => text.trimEnd();

/** Walks two logs backwards, side by side. */
class Matcher {
  /** The unmatched part of the current saved line: long lines arrive in pieces. */
  private open: string | undefined;
  isAtStart = false;

  private constructor(
    private readonly saved: AsyncGenerator<string>,
    private readonly ahead: string[],
    private skip: number,
    private position: number,
    private readonly samples: Samples,
  ) {}

  /**
   * Finds where both logs agree: the platform's may lag behind, or have grown since. Returns `undefined` if they don't near the end.
   */
  static async aligned(
    saved: AsyncGenerator<string>,
    page: readonly { text: string }[],
    samples: Samples,
  ): Promise<Matcher | undefined> {
    const ahead: string[] = [];
    while (ahead.length < page.length + linesToAlign) {
      const next = await saved.next();
      if (next.done) break;
      ahead.push(comparable(next.value));
    }
    const fits = (skipSaved: number, skipPage: number): boolean => {
      const length = Math.min(linesToAlign, ahead.length - skipSaved, page.length - skipPage);
      if (length <= 0) return false;
      for (let index = 0; index < length; index += 1) {
        const line = ahead[skipSaved + index] ?? '';
        const text = page[skipPage + index]?.text ?? '';
        if (line === text) continue;
        // A long line arrives in pieces; the part before its last piece is compared later.
        return line.length > text.length && text.length > 0 && line.endsWith(text);
      }
      return true;
    };
    for (let shift = 0; shift < Math.max(ahead.length, page.length); shift += 1) {
      if (fits(shift, 0)) return new Matcher(saved, ahead.slice(shift), 0, shift, samples);
      if (fits(0, shift)) return new Matcher(saved, ahead, shift, 0, samples);
    }
    return undefined;
  }

  /** Returns whether the whole page belongs to the saved log. */
  async take(page: readonly TimedLine[]): Promise<boolean> {
    for (const { at, text } of page) {
      if (this.skip > 0) {
        this.skip -= 1;
        continue;
      }
      this.open ??= await this.next();
      if (this.open === undefined) return false;
      if (!this.open.endsWith(text) || (text === '' && this.open !== '')) return false;
      this.open = this.open.slice(0, this.open.length - text.length);
      if (this.open !== '') continue;
      this.open = undefined;
      this.position += 1;
      this.samples.add(this.position, Number(at / 1_000_000n));
    }
    return true;
  }

  /** Returns whether every saved line has been matched. */
  async isExhausted(): Promise<boolean> {
    return this.open === undefined && (await this.next()) === undefined;
  }

  private async next(): Promise<string | undefined> {
    const ready = this.ahead.shift();
    if (ready !== undefined) return ready;
    const next = await this.saved.next();
    this.isAtStart = next.done === true;
    return next.done ? undefined : comparable(next.value);
  }
}

/** The first line of each time span; spans grow so that all fit. */
class Samples {
  resolution = finestResolutionMs;
  private spans = new Map<number, [number, number]>();

  add(linesFromEnd: number, atMs: number): void {
    this.spans.set(Math.floor(atMs / this.resolution), [linesFromEnd, atMs]);
    if (this.spans.size <= maxSamples) return;
    this.resolution *= 2;
    const finer = this.all();
    this.spans = new Map(finer.map((sample) => [Math.floor(sample[1] / this.resolution), sample]));
  }

  /** Newest first. */
  all(): [number, number][] {
    return [...this.spans.values()].sort((a, b) => a[0] - b[0]);
  }
}

export type LinesSince =
  | { readonly kind: 'lines'; readonly fromEnd: number }
  /** Any line may be newer; `reason` says why that is not known. */
  | { readonly kind: 'unknown'; readonly reason: string };

/** Returns how many of a saved log's last lines were written since a time. */
export async function linesSince(log: string, since: Date): Promise<LinesSince> {
  const times = await readTimes(log);
  if (times === undefined) return { kind: 'unknown', reason: 'no times were saved with this log' };
  const { samples, resolution, complete, reason } = times;
  if (reason !== undefined) return { kind: 'unknown', reason };
  const size = await stat(log).then((found) => found.size);
  if (size !== times.size) return { kind: 'unknown', reason: 'the log was changed after its times were saved' };
  const time = since.getTime();
  // A sample covers its time span: one that began before the time may end after it.
  const spanEnd = (at: number): number => (Math.floor(at / resolution) + 1) * resolution;
  const wanted = samples.filter(([, at]) => spanEnd(at) > time);
  const oldest = samples.at(-1);
  const isBeyond = oldest !== undefined && wanted.length === samples.length && oldest[1] >= time;
  if (isBeyond && !complete) {
    const known = new Date(oldest[1]).toISOString();
    return { kind: 'unknown', reason: `the times of its lines are known only from ${known} on` };
  }
  return { kind: 'lines', fromEnd: wanted.at(-1)?.[0] ?? 0 };
}

async function readTimes(log: string): Promise<LogTimes | undefined> {
  const text = await readFile(timesFile(log), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return timesSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
