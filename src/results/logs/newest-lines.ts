import type { LeptonClient, LogRange, TimedLine } from '../../lepton/types';

export interface NewestLinesRequest {
  readonly client: Pick<LeptonClient, 'logLines'>;
  readonly of: LogRange['of'];
  readonly replica?: string | undefined;
  /** When the writer of the log was created, milliseconds since the epoch; `undefined`: not known. */
  readonly createdAt: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Lines of one page; default 2 000. */
  readonly pageLines?: number | undefined;
}

/** How far back to look when the log's beginning is not known: log stores refuse ranges of years. */
const maxRangeMs = 7 * 86_400_000;
/** Margin around creation and now, because clocks differ. */
const clockMarginMs = 3_600_000;

/**
 * Yields a log by time, backwards from its end to its beginning, in pages with the newest line first. Yields nothing if the
 * platform keeps no times; rejects with `LeptonError` or the signal's reason.
 */
export async function* newestLines(request: NewestLinesRequest): AsyncGenerator<readonly TimedLine[]> {
  const { client, of, replica, createdAt, signal, pageLines = 2_000 } = request;
  const { from, until: end } = timeOfLog(createdAt);
  for (let until = end; ;) {
    const range = { of, replica, from, until, limit: pageLines, newest: true };
    const page = await client.logLines(range, { signal });
    if (page === undefined) return;
    const oldest = page[0]?.at;
    if (oldest === undefined) return;
    const isLast = page.length < pageLines;
    // The page may not hold all lines of its oldest time: those come again with the next page.
    const whole = isLast ? page : page.filter(({ at }) => at > oldest);
    if (whole.length === 0) return;
    yield [...whole].reverse();
    if (isLast) return;
    until = oldest + 1n;
  }
}

/** Returns the time in which a log was written, up to now: `from` is inclusive, `until` exclusive. */
export function timeOfLog(createdAt: number | undefined): Pick<LogRange, 'from' | 'until'> {
  const now = Date.now();
  const from = createdAt === undefined ? now - maxRangeMs : createdAt - clockMarginMs;
  return { from: nanoseconds(from), until: nanoseconds(now + clockMarginMs) };
}

const nanoseconds = (ms: number): bigint => BigInt(Math.max(1, Math.floor(ms))) * 1_000_000n;
