import type { RunDescription } from '../../client';
import { platformWords } from '../../contract/details';
import { tagWords } from '../../contract/run-name';
import { statusWordOf } from '../../contract/verdict';
import { costLine } from './cost';
import { exportLines } from './exports';
import { failureLines } from './failures';
import { findingLines } from './findings';
import { elapsed } from './elapsed';
import { usefulShareLine } from './results/useful-share';
import { runDocument } from './run-document';
import { runTable, type RunTable } from './run-table';
import { scoresCaveats, scoresTable } from './scores';
import { plainStyle } from './style';
import { harmlessLine, harmlessText } from '../../support/terminal-text';

export interface RunStatus extends Omit<RunTable, 'snapshot'> {
  readonly run: RunDescription;
}

/** Returns the text of `status ID`. Pure. */
export function statusText({ run, now, width, style = plainStyle }: RunStatus): string {
  const { snapshot, failure } = run;
  const scores = scoresTable({ ...snapshot, samplings: run.resultsInfo?.samplings }, width);
  return [
    headline(run, now),
    runTable({ snapshot, now, width, style, saysErrors: true }),
    ...costLine(snapshot, now),
    ...usefulShareLine(runDocument(run, null, now)),
    ...failureLines(snapshot.tasks.filter(({ error }) => error !== null)),
    ...(failure ? [harmlessText(failure.message)] : []),
    ...leftAndKept(snapshot).map((line) => style.warn(line)),
    ...removedAfterEnd(run),
    ...(scores === '' ? [] : [scores]),
    ...findingLines(run).map((line) => style.warn(line)),
    ...scoresCaveats(snapshot),
    ...scoresAfterEnd(run),
    ...exportLines(snapshot),
  ].join('\n');
}

function headline(run: RunDescription, now: number): string {
  const { cancelRequested, snapshot } = run;
  const word = statusWordOf(run);
  const { invocation, phase, model, startedAt } = snapshot;
  const name = snapshot.name === undefined ? '' : ` (${harmlessLine(snapshot.name)})`;
  const tags = tagWords(snapshot.tags ?? {}).map((tag) => ` ${harmlessLine(tag)}`);
  const state = word === 'running' ? `${phase}${cancelRequested ? ' (cancel requested)' : ''}` : word;
  const after = snapshot.retryOf === undefined ? '' : `; a retry of ${harmlessLine(snapshot.retryOf)}`;
  return `run ${invocation}${name}: ${state}; ${harmlessLine(model)} on ${platformWords(snapshot)}${after}; started ${elapsed({ startedAt, endedAt: null }, now)} ago${tags.length === 0 ? '' : `; tags:${tags.join('')}`}`;
}

/** Lists what still exists on the platform, unintentionally or on purpose. Pure. */
export function leftAndKept({
  left,
  kept,
  tasks,
}: Pick<RunDescription['snapshot'], 'left' | 'kept' | 'tasks'>): string[] {
  // A task's error may already give the reason.
  const shown = new Set(tasks.flatMap(({ error }) => (error ? [error.message] : [])));
  return [
    ...left.map(({ kind, name, reason }) => `still exists: ${kind} ${harmlessLine(name)}: ${harmlessLine(reason)}`),
    ...kept.map(
      ({ path, reason, command }) =>
        `storage kept: ${harmlessLine(path)}: ${shown.has(reason) ? '' : `${harmlessLine(reason)}: `}${harmlessLine(command)}`,
    ),
  ];
}

/** Lists what the run had left or kept and that has been removed since. Pure. */
export function removedAfterEnd({ changesAfterEnd }: Pick<RunDescription, 'changesAfterEnd'>): string[] {
  return (changesAfterEnd?.removed ?? []).map(
    ({ kind, name, at }) => `removed after the run's end: ${kind} ${harmlessLine(name)} (${at})`,
  );
}

/** Says where scores come from that were fetched after the run's end. Pure. */
export function scoresAfterEnd({
  changesAfterEnd,
  snapshot,
}: Pick<RunDescription, 'changesAfterEnd' | 'snapshot'>): string[] {
  const shown = new Set(snapshot.tasks.map(({ index }) => index));
  return (changesAfterEnd?.scores ?? [])
    .filter(({ index }) => shown.has(index))
    .map(
      ({ index, file }) =>
        `scores of task ${index} are from ${harmlessLine(file)}, which was fetched after the run's end`,
    );
}
