import type { LeptonClient, LogRange, TimedLine } from '../../lepton/types';

export interface NewestLinesRequest {
  readonly client: Pick<LeptonClient, 'logLines'>;
  readonly of: LogRange['of'];
  readonly replica?: string | undefined;
  /** When what writes the log was created, milliseconds since the epoch; `undefined`: not known. */
  readonly createdAt: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Lines of one page; default 2 000. */
  readonly pageLines?: number | undefined;
}

/** A log's times go back so far where its beginning is not known: log stores refuse ranges of years. */
const longestRangeMs = 7 * 86_400_000;
/** Clocks differ: creation and now are taken with so much to spare. */
const spareMs = 3_600_000;

/**
 * A log by time, from its end backwards, in pages of which each is newest line first. Ends at the log's beginning. Yields
 * nothing at all where the platform keeps no times; rejects with `LeptonError` or the signal's reason.
 */
export async function* newestLines(request: NewestLinesRequest): AsyncGenerator<readonly TimedLine[]> {
  const { client, of, replica, createdAt, signal, pageLines = 2_000 } = request;
  const now = Date.now();
  const from = nanoseconds(createdAt === undefined ? now - longestRangeMs : createdAt - spareMs);
  let until = nanoseconds(now + spareMs);
  for (;;) {
    const range = { of, replica, from, until, limit: pageLines, newest: true };
    const page = await client.logLines(range, { signal });
    if (page === undefined) return;
    const oldest = page[0]?.at;
    if (oldest === undefined) return;
    const isLast = page.length < pageLines;
    // Of the oldest time there may be more lines than the page holds: they come again, with the rest.
    const whole = isLast ? page : page.filter(({ at }) => at > oldest);
    if (whole.length === 0) return;
    yield [...whole].reverse();
    if (isLast) return;
    until = oldest + 1n;
  }
}

const nanoseconds = (ms: number): bigint => BigInt(Math.max(1, Math.floor(ms))) * 1_000_000n;
