import path from 'node:path';
import type { ApplicationFailure } from '@temporalio/common';
import { failureTypes } from '../contract/failure-types';
import type { FetchedResults, FetchResultsInput } from '../contract/inputs/results';
import { flatCount } from '../contract/metric';
import { fitMetrics } from '../results/scores/fit-metrics';
import { isInterrupted, readNotes } from '../results/scores/notes';
import { MalformedResults } from '../results/scores/parse';
import { readScores } from '../results/scores/read-scores';
import { finalFailure } from './failures';
import { fitForHistory } from './wording';

export type LocalResults = Pick<
  FetchedResults,
  'metrics' | 'metricDetails' | 'metricsTotal' | 'resultsDigest' | 'interrupted' | 'notes'
>;

/** Reads scores and notes from the fetched files. `mayBeAll`: nothing else is left in storage. */
export async function readLocalResults(
  input: Pick<FetchResultsInput, 'index' | 'target'>,
  { mayBeAll }: { readonly mayBeAll: boolean },
): Promise<LocalResults> {
  const scores = await readScoresOf(input, mayBeAll);
  const ownNotes = await readNotes(input.target);
  return {
    ...(scores
      ? {
          ...fitMetrics(scores.metrics),
          metricsTotal: flatCount(scores.metrics),
          resultsDigest: scores.digest,
        }
      : { metrics: null }),
    ...((await isInterrupted(input.target)) ? { interrupted: true } : {}),
    notes: [...(scores?.notes ?? []), ...ownNotes].map(fitForHistory),
  };
}

/** Returns the scores that were fetched before the failure; throws it if there are none. */
export async function scoresDespiteFailure(
  input: FetchResultsInput,
  failure: ApplicationFailure,
): Promise<LocalResults> {
  if (failure.type === failureTypes.resultsInvalid) throw failure;
  const home = await readLocalResults(input, { mayBeAll: false }).catch(() => undefined);
  if (!home?.metrics) throw failure;
  return home;
}

async function readScoresOf(
  input: Pick<FetchResultsInput, 'index' | 'target'>,
  mayBeAll: boolean,
): ReturnType<typeof readScores> {
  try {
    return await readScores(input.target);
  } catch (error) {
    if (!(error instanceof MalformedResults)) throw error;
    const file = path.join(input.target, 'results.yml');
    throw finalFailure(
      mayBeAll ? failureTypes.resultsInvalid : failureTypes.resultsUnusable,
      `results of task ${input.index}: ${file} can't be read: ${error.message}`,
    );
  }
}
