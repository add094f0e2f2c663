import type { Span, TaskNews, TaskSnapshot, Usage } from './state';

/** What a task's endpoint and jobs cost, as news tell it. Pure; times are ISO 8601, by one clock: the Temporal server's. */

/** Usage of a task so far. */
export type Spent = Pick<TaskSnapshot, 'usage' | 'earlierUsage'>;

type Told = Pick<TaskNews, 'begun' | 'ended'>;

/** When the last resource of this kind among earlier ones ended; an empty text, which is before all times: there is none. */
const lastEnd = (what: keyof Usage, earlier: readonly Usage[] = []): string =>
  earlier.reduce((last, { [what]: span }) => (span?.until && span.until > last ? span.until : last), '');

interface Moments {
  readonly begun: string | undefined;
  readonly ended: string | undefined;
}

/** What is told of a resource that has ended before this one began is news of that one, and late. */
function spanAfter(known: Span | null, after: string, { begun, ended }: Moments): Span | null {
  const from = known?.from ?? (begun !== undefined && begun > after ? begun : undefined);
  if (from === undefined) return null;
  return { from, until: known?.until ?? (ended !== undefined && ended >= from ? ended : null) };
}

/** Returns the usage after the news. An endpoint that begins after the known one has ended is another one, which costs as well. */
function usageAfter({ usage, earlierUsage }: Spent, { begun = {}, ended = {} }: Told): Spent {
  const momentsOf = (what: keyof Usage): Moments => ({ begun: begun[what], ended: ended[what] });
  const job = spanAfter(usage?.job ?? null, lastEnd('job', earlierUsage), momentsOf('job'));
  const told = momentsOf('endpoint');
  const endpoint = spanAfter(usage?.endpoint ?? null, lastEnd('endpoint', earlierUsage), told);
  const next = endpoint?.until ? spanAfter(null, endpoint.until, told) : null;
  if (next === null) return { usage: { endpoint, job }, ...(earlierUsage ? { earlierUsage } : {}) };
  return { usage: { endpoint: next, job }, earlierUsage: [...(earlierUsage ?? []), { endpoint, job: null }] };
}

/** Returns the usage when another job begins: its own costs, and those of its endpoint unless that is among the earlier ones. */
function usageOfNext({ usage }: Spent, earlierUsage: readonly Usage[]): Spent {
  const endpoint = usage?.endpoint ?? null;
  const isEarlier = endpoint !== null && endpoint.from <= lastEnd('endpoint', earlierUsage);
  return { earlierUsage, usage: { endpoint: isEarlier ? null : endpoint, job: null } };
}

/** How news change what is known of costs. */
export interface UsageRules {
  readonly after: (before: Spent, news: Told) => Spent;
  readonly ofNext: (before: Spent, earlierUsage: readonly Usage[]) => Spent;
}

export const usageRules: UsageRules = { after: usageAfter, ofNext: usageOfNext };

/** Until 2026-11-29, for histories of runs with a budget: an endpoint that was made anew cost nothing, and the first one twice. */
export const olderUsageRules: UsageRules = {
  after: ({ usage, earlierUsage }, { begun = {}, ended = {} }) => {
    const spanOf = (what: keyof Usage): Span | null => {
      const from = usage?.[what]?.from ?? begun[what];
      return from === undefined ? null : { from, until: usage?.[what]?.until ?? ended[what] ?? null };
    };
    return { usage: { endpoint: spanOf('endpoint'), job: spanOf('job') }, ...(earlierUsage ? { earlierUsage } : {}) };
  },
  ofNext: ({ usage }, earlierUsage) => ({ earlierUsage, usage: { endpoint: usage?.endpoint ?? null, job: null } }),
};

/** Returns what began and ended according to two pieces of news about the same job. Of two endpoints, the later one counts. */
export function mergedTimes(earlier: Told, later: Told): Told {
  const begins = lastOf(earlier, later);
  const ends = [earlier.ended?.endpoint, later.ended?.endpoint].filter((at) => at !== undefined);
  // The end of the first one stays where the second one's is not known: it is too early to be mistaken for that.
  const end = ends.find((at) => begins === undefined || at >= begins) ?? ends[0];
  return timesOf(
    { ...later.begun, ...earlier.begun, ...(begins === undefined ? {} : { endpoint: begins }) },
    { ...later.ended, ...earlier.ended, ...(end === undefined ? {} : { endpoint: end }) },
  );
}

/** When the endpoint began; where an earlier one ended before it did, the later one. */
function lastOf({ begun, ended }: Told, later: Told): string | undefined {
  const after = later.begun?.endpoint;
  const isAnother = ended?.endpoint !== undefined && after !== undefined && after > ended.endpoint;
  return isAnother ? after : (begun?.endpoint ?? after);
}

/** Returns the same where `later` begins another job: of the earlier news only the endpoint is left, if it is still the same. */
export function replacedTimes(earlier: Told, later: TaskNews): Told {
  const { begun = {}, ended = {} } = later;
  if (begun.endpoint !== undefined) return timesOf(begun, ended);
  const after = lastEnd('endpoint', later.earlierUsage);
  const isLeft = (at: string | undefined): at is string => at !== undefined && at > after;
  const begins = earlier.begun?.endpoint;
  const ends = [earlier.ended?.endpoint, ended.endpoint].find(isLeft);
  return timesOf(
    { ...begun, ...(isLeft(begins) ? { endpoint: begins } : {}) },
    { ...ended, ...(ends === undefined ? {} : { endpoint: ends }) },
  );
}

const timesOf = (begun: NonNullable<Told['begun']>, ended: NonNullable<Told['ended']>): Told => ({
  ...(Object.keys(begun).length === 0 ? {} : { begun }),
  ...(Object.keys(ended).length === 0 ? {} : { ended }),
});
