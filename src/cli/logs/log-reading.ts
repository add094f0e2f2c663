import { maskedBytes } from '../../secrets/byte-mask';
import { followLog } from '../../results/logs/follow-log';
import { linesSince } from '../../results/logs/log-times';
import { newestLines } from '../../results/logs/newest-lines';
import { NoTimedLogs, timedLog } from '../../results/logs/timed-log';
import type { LeptonClient, TimedLine } from '../../lepton/types';
import { fileBytes, lastLines, logLines, liveLines } from './log-lines';
import type { LiveSource, SavedSource } from './log-sources';

/** Which part of a log to print, and how. */
export interface LogWish {
  readonly client: LeptonClient | undefined;
  readonly follow: boolean;
  readonly tail: number | undefined;
  readonly since: Date | undefined;
  /** Values to mask with `***`. */
  readonly secrets: readonly string[];
  readonly note: (text: string) => void;
  readonly warn: (text: string) => void;
}

/** Yields the lines of a saved log. */
export async function* savedLines({ file }: SavedSource, wish: LogWish): AsyncGenerator<string> {
  const { tail, since, warn } = wish;
  let last = tail;
  if (since !== undefined) {
    const wanted = await linesSince(file, since);
    if (wanted.kind === 'lines') last = Math.min(wanted.fromEnd, tail ?? Infinity);
    else warn(`--since: ${wanted.reason}; showing all of ${file}`);
  }
  yield* logLines(maskedBytes(fileBytes(file, last), wish.secrets));
}

/** Yields the lines of a log on the platform; resumes after a cut connection. */
export async function* platformLines(
  source: LiveSource,
  wish: LogWish,
  { isFirst, signal }: { readonly isFirst: boolean; readonly signal: AbortSignal },
): AsyncGenerator<string> {
  const { since, follow } = wish;
  // Everything is new in the log of a replica that appeared while following.
  const tail = isFirst ? wish.tail : undefined;
  if (since !== undefined && (yield* linesByTime(source, wish, { since, tail, signal }))) return;
  if (since === undefined && tail !== undefined && (yield* tailByTime(source, wish, { tail, signal }))) return;
  if (source.replica === null) {
    const beginning = new Date(source.createdAt ?? 0);
    if (since === undefined) yield* linesByTime(source, wish, { since: beginning, tail, signal });
    return;
  }
  const open = (signal: AbortSignal) => source.open({ follow, signal });
  const bytes = follow
    ? encoded(followLog({ open, isOver: () => source.isOver(), signal, onNote: wish.note }))
    : open(signal);
  yield* liveLines(logLines(maskedBytes(bytes, wish.secrets)), { follow, tail });
}

/** Yields lines by time. Returns false, without having yielded any, if the platform can't select by time. */
async function* linesByTime(
  source: LiveSource,
  wish: LogWish,
  range: {
    readonly since: Date;
    readonly tail: number | undefined;
    readonly after?: readonly TimedLine[];
    readonly signal: AbortSignal;
  },
): AsyncGenerator<string, boolean> {
  const { client, follow, note, warn } = wish;
  if (!client) return false;
  const { since, tail, after, signal } = range;
  const { of, replica } = source;
  const isOver = () => source.isOver();
  try {
    const texts = timedLog({
      ...{ client, of, since, after, follow, isOver, signal, onNote: note },
      replica: replica ?? undefined,
    });
    const lines = logLines(maskedBytes(withLineEnds(texts), wish.secrets));
    yield* follow ? liveLines(lines, { follow, tail }) : lastLines(lines, tail);
    return true;
  } catch (error) {
    if (!(error instanceof NoTimedLogs)) throw error;
    if (wish.since !== undefined) warn(`--since: ${error.message}; showing all of the log`);
    return false;
  }
}

/** Yields the last lines without reading those before them, then follows. Returns false if the platform can't select by time. */
async function* tailByTime(
  source: LiveSource,
  wish: LogWish,
  { tail, signal }: { readonly tail: number; readonly signal: AbortSignal },
): AsyncGenerator<string, boolean> {
  const { client, follow } = wish;
  if (!client || tail === 0) return false;
  const { of, replica, createdAt } = source;
  const newest: TimedLine[] = [];
  const request = { client, of, replica: replica ?? undefined, createdAt, signal };
  for await (const page of newestLines({ ...request, pageLines: Math.min(tail + 1, 2_000) })) {
    newest.push(...page.slice(0, tail - newest.length));
    if (newest.length === tail) break;
  }
  if (newest.length === 0) return false;
  const oldestFirst = newest.reverse();
  const texts = oldestFirst.map(({ text }) => text);
  yield* logLines(maskedBytes(withLineEnds(texts), wish.secrets));
  if (follow) yield* linesByTime(source, wish, { since: new Date(), tail: undefined, after: oldestFirst, signal });
  return true;
}

async function* encoded(texts: AsyncIterable<string>): AsyncGenerator<Uint8Array> {
  for await (const text of texts) yield Buffer.from(text);
}

async function* withLineEnds(texts: AsyncIterable<string> | Iterable<string>): AsyncGenerator<Uint8Array> {
  for await (const text of texts) yield Buffer.from(`${text}\n`);
}
