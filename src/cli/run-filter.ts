import type { RunFilter } from '../client';
import { type CommandInput, listOption, textOption } from './command';
import { sinceTime } from './since';

/** Which runs `ls runs` is to show. */
export interface WantedRuns {
  /** Whether it depends on the time, which is Temporal's: that is the clock by which runs are dated. */
  readonly isByClock: boolean;
  /** The filter at that time, in milliseconds since the epoch. */
  at(now: number): RunFilter;
}

/** Reads the options that narrow `ls runs`. Throws `UsageError` at once for one that can't be read. Pure except for the clock. */
export function runFilterOf(input: CommandInput): WantedRuns {
  const [since, status] = [textOption(input, 'since'), textOption(input, 'status')];
  const [model, name] = [textOption(input, 'model'), textOption(input, 'name')];
  const owner = textOption(input, 'owner');
  const tags = listOption(input, 'tag');
  const others: RunFilter = {
    ...(status === undefined ? {} : { status }),
    ...(model === undefined ? {} : { model }),
    ...(owner === undefined ? {} : { owner }),
    ...(name === undefined ? {} : { name }),
    ...(tags.length === 0 ? {} : { tags }),
  };
  if (since === undefined) return { isByClock: false, at: () => others };
  sinceTime(since, new Date());
  return { isByClock: true, at: (now) => ({ since: sinceTime(since, new Date(now)), ...others }) };
}
