import { logAnswerSchema } from './answers';
import type { ReadDialect } from './deployment-calls';
import type { Requests } from './requests';
import type { LeptonClient, LogRange, TimedLine } from './types';

/** Statuses with which servers answer that have no `GET /logs`. 404 is also the answer for a deleted job or deployment. */
const noSuchRoute: readonly number[] = [404, 405, 501];

/** Creates the call that reads logs by time. */
export function timedLogCalls(requests: Requests, dialect: ReadDialect): Pick<LeptonClient, 'logLines'> {
  return {
    async logLines(range, options) {
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
      const streams = (data.result ?? []).map(({ values }) => (values ?? []).map(lineOf));
      // `backward` returns the newest first. Reverse, so that lines of the same time keep the order in which they were written.
      const lines = streams.flatMap((stream) => (range.newest ? stream.reverse() : stream));
      const strays = lines.some(({ at }) => at < range.from || at >= range.until);
      if (strays) throw requests.invalid(call, 'the answer has lines outside the requested time');
      // Each replica is a stream of its own.
      return lines.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
    },
  };
}

const lineOf = ([at, text]: readonly [string, string, ...unknown[]]): TimedLine => ({ at: BigInt(at), text });

/** Returns the query that the service's own client sends. */
const queryOf = ({ from, until, limit, newest, replica }: LogRange): Record<string, string> => ({
  start: from.toString(),
  end: until.toString(),
  timestamps: 'True',
  direction: newest ? 'backward' : 'forward',
  limit: String(limit),
  q: '',
  job_query_mode: 'alive_and_archive',
  ...(replica === undefined ? {} : { replica }),
});

async function subjectOf({ of }: LogRange, dialect: ReadDialect): Promise<Record<string, string>> {
  if ('job' in of) return { job: of.job };
  return (await dialect()).kind === 'endpoints' ? { endpoint: of.deployment } : { deployment: of.deployment };
}
