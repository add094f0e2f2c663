/** Which runs a list shows. Pure. */
import type { RunPhase } from '../contract/state';
import { escapeRegExp } from '../support/escape-regexp';
import type { RunSummary } from './run-summary';

export interface RunFilter {
  /** Started then or later. */
  readonly since?: Date;
  /** The word that the list shows. */
  readonly status?: string;
  /** A part of the model's name; with `*` for any characters, the whole. */
  readonly model?: string;
  /** Who started it, in full; with `*` for any characters. */
  readonly owner?: string;
  /** The same of the run's name. */
  readonly name?: string;
  /** `key=value`, or a key alone; all of them. */
  readonly tags?: readonly string[];
}

/** Returns the word by which a list shows what became of a run: the recorded outcome says more than Temporal's status. */
export function shownStatus({ status, outcome, phase }: Pick<RunSummary, 'status' | 'outcome' | 'phase'>): string {
  if (status === 'running') return phase === waiting ? waiting : status;
  return status === 'terminated' ? status : (outcome ?? status);
}

const waiting: RunPhase = 'waiting';

/** Returns whether a run fits. */
export function fitsFilter(filter: RunFilter): (run: RunSummary) => boolean {
  const { since, status, tags = [] } = filter;
  const model = patternOf(filter.model);
  const owner = wholeOf(filter.owner);
  const name = patternOf(filter.name);
  return (run) =>
    (since === undefined || run.startedAt >= since) &&
    (status === undefined || shownStatus(run) === status || (status === 'running' && run.status === status)) &&
    (model === undefined || model.test(run.model)) &&
    (owner === undefined || (run.owner !== null && owner.test(run.owner))) &&
    (name === undefined || (run.name !== null && name.test(run.name))) &&
    tags.every((tag) => run.tags.some((each) => each === tag || each.startsWith(`${tag}=`)));
}

function patternOf(text: string | undefined): RegExp | undefined {
  if (text === undefined) return undefined;
  const escaped = text.split('*').map(escapeRegExp).join('.*');
  return new RegExp(text.includes('*') ? `^${escaped}$` : escaped, 'i');
}

/** One person's runs aren't those of everybody whose name contains theirs. */
function wholeOf(text: string | undefined): RegExp | undefined {
  return text === undefined ? undefined : new RegExp(`^${text.split('*').map(escapeRegExp).join('.*')}$`, 'i');
}
