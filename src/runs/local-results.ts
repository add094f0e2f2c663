import path from 'node:path';
import type { Client } from '@temporalio/client';
import type { RunPlan } from '../contract/plan';
import { resultsPlaceOf } from '../contract/results-place';
import type { HomePaths } from '../home/paths';
import { readablePlan } from '../home/run-store';
import { copyFromStore, isCopied, type Copied } from '../results/store/local-copy';
import { openStore, shownPlace } from '../results/store/open-store';
import { storeEnv } from '../results/store/store-access';
import type { StoreEnv } from '../results/store/store';
import { UsageFault } from '../support/usage-fault';
import { RunNotFound } from './run-errors';
import { planInHistory } from './run-input';

/** Gives any machine a folder with a run's results, whatever machine its workers were on. */

export interface LocalResultsRequest {
  readonly invocation: string;
  readonly home: HomePaths;
  /** Asked for the plan of a run that was not started on this host; `undefined`: Temporal can't be asked. */
  readonly client: Client | undefined;
  readonly env: StoreEnv;
  /**
   * Where to copy them: the run's own folder, absolute. Default: the run's output folder if it was started on this host, else a
   * folder below the home.
   */
  readonly folder?: string | undefined;
  /** Look for new files also if a whole copy is here. Default: a whole copy is taken as it is. */
  readonly refresh?: boolean | undefined;
  /** Only files whose path, relative to the run's folder, it accepts. Default: all. */
  readonly only?: ((relative: string) => boolean) | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onFile?: ((copied: Copied) => void) | undefined;
}

export interface LocalResults {
  readonly plan: RunPlan;
  /** Absolute: `run.json` and the tasks' folders, as far as they exist. */
  readonly folder: string;
  /** What was copied from the run's results store; `null`: nothing had to be. */
  readonly copied: Copied | null;
}

/** The results lie on another machine, and nothing that this one can read has them. Exit code 2. */
export class ResultsElsewhere extends UsageFault {
  override readonly name = 'ResultsElsewhere';
}

/**
 * Returns a folder of this machine with the run's results, and copies them from the run's store if they are not here, each checked
 * by size and sha256. Throws `ResultsElsewhere`, `RunNotFound`, `StoreError`.
 */
export async function localResults(request: LocalResultsRequest): Promise<LocalResults> {
  const { invocation, home, refresh = false } = request;
  const stored = await readablePlan(home, invocation);
  const plan = stored ?? (request.client && (await planInHistory(request.client, invocation)));
  if (!plan)
    throw new RunNotFound(`neither this host nor Temporal knows run ${invocation}; list runs with: evalsaga ls`);
  const folder = request.folder ?? localFolderOf(plan, { home, isStored: stored !== undefined });
  if (plan.resultsStore === undefined) {
    if (stored && folder === plan.outputDir) return { plan, folder, copied: null };
    throw elsewhere(plan, stored !== undefined);
  }
  if (!refresh && (await isCopied(folder))) return { plan, folder, copied: null };
  const store = await openStore(resultsPlaceOf(plan), await storeEnv(home, request.env));
  const { only, signal, onFile } = request;
  return { plan, folder, copied: await copyFromStore({ store, folder, only, signal, onFile }) };
}

/**
 * Brings what has come into the run's store since a whole copy of it was made on this machine into that copy; does nothing if there is
 * none. Throws `StoreError`.
 */
export async function refreshCopy(
  plan: RunPlan,
  { home, env, isStored }: Pick<LocalResultsRequest, 'home' | 'env'> & { readonly isStored: boolean },
): Promise<void> {
  const folder = localFolderOf(plan, { home, isStored });
  if (plan.resultsStore === undefined || !(await isCopied(folder))) return;
  await copyFromStore({ store: await openStore(resultsPlaceOf(plan), await storeEnv(home, env)), folder });
}

/** Returns the folder in which this machine keeps a run's results. Pure. */
export const localFolderOf = (
  { outputDir, invocation }: Pick<RunPlan, 'outputDir' | 'invocation'>,
  { home, isStored }: { readonly home: Pick<HomePaths, 'fetched'>; readonly isStored: boolean },
): string => (isStored ? outputDir : path.join(home.fetched, invocation));

/** Returns where to look for the run's results from this machine: the folder here once it has a whole copy, else their place. */
export async function resultsFolderOf(plan: RunPlan): Promise<string> {
  if (plan.resultsStore === undefined || (await isCopied(plan.outputDir))) return plan.outputDir;
  return shownPlace(resultsPlaceOf(plan));
}

const elsewhere = ({ invocation, outputDir }: RunPlan, isStored: boolean): ResultsElsewhere =>
  new ResultsElsewhere(
    isStored
      ? `Run ${invocation} has no results store to copy from: its results are in ${outputDir}.`
      : `Run ${invocation} was started on another machine, and has no results store: its results are in ${outputDir} there. With execution.results_store, runs can be read from every machine.`,
  );
