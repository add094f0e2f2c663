import type { LeptonClient, LogRange, TimedLine } from '../../lepton/types';
import { timeOfLog } from './newest-lines';

/** A log and the times of its lines, from one request. */
export interface WholeLog {
  readonly content: Buffer;
  readonly lines: readonly TimedLine[];
}

export interface WholeLogRequest {
  readonly client: Pick<LeptonClient, 'logStreams'>;
  readonly of: LogRange['of'];
  /** When its writer was created, milliseconds since the epoch; `undefined`: not known. */
  readonly createdAt: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Lines that are asked for; a longer log is read from its replicas. */
const mostLines = 2_000;
/** What decoding puts in place of bytes that are no UTF-8. */
const replacement = '\ufffd';

/** Clients of platforms that don't say how large a log is, as Lepton doesn't: there the question would be of no use. */
const withoutSizes = new WeakSet<WholeLogRequest['client']>();

/**
 * Returns a short log of a single writer, with its lines' times, if the platform says how large it is, so that its lines are proven
 * to be all of it, byte for byte. Otherwise `undefined`: it has to be read from its replicas.
 * Rejects with `LeptonError`, or the signal's reason.
 */
export async function wholeLog({ client, of, createdAt, signal }: WholeLogRequest): Promise<WholeLog | undefined> {
  if (withoutSizes.has(client)) return undefined;
  const range = { of, ...timeOfLog(createdAt), limit: mostLines, newest: true };
  const [stream, ...others] = (await client.logStreams(range, { signal })) ?? [];
  if (stream === undefined) return undefined;
  if (stream.logBytes === undefined) withoutSizes.add(client);
  if (others.length > 0 || stream.lines.length >= mostLines) return undefined;
  const content = contentOf(stream.lines, stream.logBytes);
  return content && { content, lines: stream.lines };
}

/** Returns the lines as they were written; `undefined` if they are not all of a log of `bytes`. Pure. */
export function contentOf(lines: readonly TimedLine[], bytes: number | undefined): Buffer | undefined {
  if (bytes === undefined || lines.some(({ text }) => text.includes(replacement))) return undefined;
  const content = Buffer.from(lines.map(({ text }) => `${text}\n`).join(''), 'utf8');
  if (content.byteLength === bytes) return content;
  // The last line has no end yet.
  return content.byteLength === bytes + 1 ? content.subarray(0, bytes) : undefined;
}
