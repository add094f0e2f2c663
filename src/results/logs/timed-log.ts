import { setTimeout as delay } from 'node:timers/promises';
import { LeptonError } from '../../lepton/lepton-error';
import { retryDelayMs } from '../../lepton/retry-timing';
import type { LeptonClient, LogRange, TimedLine } from '../../lepton/types';

export interface TimedLogRequest {
  readonly client: Pick<LeptonClient, 'logLines'>;
  readonly of: LogRange['of'];
  /** Of one replica only. */
  readonly replica?: string | undefined;
  readonly since: Date;
  /** The last lines that were read already: the log goes on behind them. Default: none. */
  readonly after?: readonly TimedLine[] | undefined;
  /** Go on until what writes the log has ended. */
  readonly follow: boolean;
  /** Whether what writes the log has ended. */
  readonly isOver: () => Promise<boolean>;
  readonly signal: AbortSignal;
  /** Told when the platform did not answer and is asked again. Default: nobody. */
  readonly onNote?: ((note: string) => void) | undefined;
  /** Pause before the next look at a log that has nothing new, milliseconds; default 1 500. */
  readonly pauseMs?: number | undefined;
}

/** Lines in one answer; the service's own client asks for ten times as many at a time. */
const pageLines = 1_000;
/** A platform that does not answer is asked so often. */
const mostAttempts = 8;

/** The platform keeps no times of its log lines (it has no `GET /logs`). */
export class NoTimedLogs extends Error {
  override readonly name = 'NoTimedLogs';
}

/**
 * The lines of a log that were written since a time, page by page: nothing is kept but the last time's lines. With
 * `follow`, as they come, until the writer has ended or the signal aborts. Throws `NoTimedLogs`, `LeptonError`.
 */
export async function* timedLog(request: TimedLogRequest): AsyncGenerator<string, void, undefined> {
  const { signal, follow } = request;
  const last = request.after?.at(-1);
  let from = last?.at ?? BigInt(request.since.getTime()) * 1_000_000n;
  let given: readonly TimedLine[] = request.after?.filter(({ at }) => at === from) ?? [];
  while (!signal.aborted) {
    // Asked first: what was written until the end is read after it.
    const over = !follow || (await request.isOver());
    const page = await readPage(request, from);
    const fresh = page.filter(({ at, text }) => !given.some((line) => line.at === at && line.text === text));
    for (const { text } of fresh) yield text;
    const last = page.at(-1);
    if (last !== undefined) {
      given = page.filter(({ at }) => at === last.at);
      from = last.at;
    }
    const isWhole = page.length < pageLines;
    // A page of one time's lines alone would be given for ever.
    if (!isWhole && fresh.length === 0) from += 1n;
    if (!isWhole) continue;
    if (over) return;
    await delay(request.pauseMs ?? 1_500, undefined, { signal }).catch(() => undefined);
  }
}

async function readPage(request: TimedLogRequest, from: bigint): Promise<TimedLine[]> {
  const { client, of, replica, signal, onNote } = request;
  for (let attempt = 1; ; attempt += 1) {
    try {
      // The clocks of platform and reader differ: lines of the near future are of now.
      const until = BigInt(Date.now() + 3_600_000) * 1_000_000n;
      const lines = await client.logLines({ of, replica, from, until, limit: pageLines }, { signal });
      if (lines === undefined) throw new NoTimedLogs('the platform keeps no times of log lines');
      return lines;
    } catch (error) {
      if (signal.aborted) return [];
      if (!(error instanceof LeptonError) || !isPassing(error) || attempt >= mostAttempts) throw error;
      onNote?.(`the log was out of reach (${error.message}); asking again`);
      const { kind, retryAfterMs } = error;
      await delay(retryDelayMs({ kind, attempt, retryAfterMs, random: Math.random }), undefined, { signal }).catch(
        () => undefined,
      );
    }
  }
}

const isPassing = ({ kind }: LeptonError): boolean => ['network', 'server', 'rate_limited'].includes(kind);
