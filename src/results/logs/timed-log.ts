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
  /** The last lines that were read already; the log continues after them. Default: none. */
  readonly after?: readonly TimedLine[] | undefined;
  /** Continue until the writer has ended. */
  readonly follow: boolean;
  /** Whether the writer has ended. */
  readonly isOver: () => Promise<boolean>;
  readonly signal: AbortSignal;
  /** Called when the platform did not answer and is asked again. */
  readonly onNote?: ((note: string) => void) | undefined;
  /** Pause before the next look at a log that has nothing new, milliseconds; default 1 500. */
  readonly pauseMs?: number | undefined;
}

/** Lines in one answer; the service's own client asks for ten times as many at a time. */
const pageLines = 1_000;
/** Attempts while the platform does not answer. */
const maxAttempts = 8;

/** The platform keeps no times of its log lines (it has no `GET /logs`). */
export class NoTimedLogs extends Error {
  override readonly name = 'NoTimedLogs';
}

/**
 * Yields the lines of a log that were written since a time, page by page, keeping only the lines of the last time. With `follow`,
 * continues until the writer has ended or the signal aborts. Throws `NoTimedLogs`, `LeptonError`.
 */
export async function* timedLog(request: TimedLogRequest): AsyncGenerator<string, void, undefined> {
  const { signal, follow } = request;
  const last = request.after?.at(-1);
  let from = last?.at ?? BigInt(request.since.getTime()) * 1_000_000n;
  let yielded: readonly TimedLine[] = request.after?.filter(({ at }) => at === from) ?? [];
  while (!signal.aborted) {
    // Asked before reading, so that the last output of an ended writer is read too.
    const over = !follow || (await request.isOver());
    const page = await readPage(request, from);
    const fresh = page.filter(({ at, text }) => !yielded.some((line) => line.at === at && line.text === text));
    for (const { text } of fresh) yield text;
    const last = page.at(-1);
    if (last !== undefined) {
      yielded = page.filter(({ at }) => at === last.at);
      from = last.at;
    }
    const isWhole = page.length < pageLines;
    // A full page of lines with the same time would repeat forever.
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
      // Clocks differ: lines written now may carry a time in the near future.
      const until = BigInt(Date.now() + 3_600_000) * 1_000_000n;
      const lines = await client.logLines({ of, replica, from, until, limit: pageLines }, { signal });
      if (lines === undefined) throw new NoTimedLogs('the platform keeps no times of log lines');
      return lines;
    } catch (error) {
      if (signal.aborted) return [];
      if (!(error instanceof LeptonError) || !isPassing(error) || attempt >= maxAttempts) throw error;
      onNote?.(`the log was unreachable (${error.message}); asking again`);
      const { kind, retryAfterMs } = error;
      await delay(retryDelayMs({ kind, attempt, retryAfterMs, random: Math.random }), undefined, { signal }).catch(
        () => undefined,
      );
    }
  }
}

const isPassing = ({ kind }: LeptonError): boolean => ['network', 'server', 'rate_limited'].includes(kind);
