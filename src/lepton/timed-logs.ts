import { logAnswerSchema } from './answers';
import type { ReadDialect } from './deployment-calls';
import type { Requests } from './requests';
import type { LeptonClient, LogRange, TimedLine } from './types';

/** Statuses with which servers answer that have no `GET /logs`. 404 is also the answer for a deleted job or deployment. */
const noSuchRoute: readonly number[] = [404, 405, 501];

/** Creates the call that reads logs by time. */
export function timedLogCalls(requests: Requests, dialect: ReadDialect): Pick<LeptonClient, 'logLines' | 'logStreams'> {
  const logStreams: LeptonClient['logStreams'] = async (range, options) => {
    const call = {
      method: 'GET',
      path: '/logs',
      query: { ...queryOf(range), ...(await subjectOf(range, dialect)) },
      acceptedStatuses: noSuchRoute,
      options,
    } as const;
    const answer = await requests.json(call);
    if (answer === undefined) return undefined;
    const { data } = requests.check(call, answer, logAnswerSchema);
    const isStray = ({ at }: TimedLine): boolean => at < range.from || at >= range.until;
    return (data.result ?? []).map(({ stream, values }) => {
      const lines = (values ?? []).map(lineOf);
      if (lines.some(isStray)) throw requests.invalid(call, 'the answer has lines outside the requested time');
      // `backward` returns the newest first. Reverse, so that lines of the same time keep the order in which they were written.
      return { lines: inOrder(range.newest ? lines.reverse() : lines), logBytes: bytesOf(stream?.bytes) };
    });
  };
  return {
    logStreams,
    async logLines(range, options) {
      const streams = await logStreams(range, options);
      return streams && inOrder(streams.flatMap(({ lines }) => lines));
    },
  };
}

const lineOf = ([at, text]: readonly [string, string, ...unknown[]]): TimedLine => ({ at: BigInt(at), text });

const inOrder = (lines: readonly TimedLine[]): TimedLine[] =>
  [...lines].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));

/** Returns the size in the label `bytes`, which evalsaga's local platform sets. */
const bytesOf = (label: unknown): number | undefined => {
  const text = typeof label === 'string' ? label : '';
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
};

/** Returns the query that the service's own client sends. */
const queryOf = ({ from, until, limit, newest, replica, text = '' }: LogRange): Record<string, string> => ({
  start: from.toString(),
  end: until.toString(),
  timestamps: 'True',
  direction: newest ? 'backward' : 'forward',
  limit: String(limit),
  q: text,
  job_query_mode: 'alive_and_archive',
  ...(replica === undefined ? {} : { replica }),
});

async function subjectOf({ of }: LogRange, dialect: ReadDialect): Promise<Record<string, string>> {
  if ('job' in of) return { job: of.job };
  return (await dialect()).kind === 'endpoints' ? { endpoint: of.deployment } : { deployment: of.deployment };
}
