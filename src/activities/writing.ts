import { withTarget, type ResultsTarget } from '../results/store/target';
import type { ActivityDependencies } from './dependencies';

/** Gives `work` a local folder whose files are in the place of results once the target is complete. */
export async function writingTo<T>(
  dependencies: Pick<ActivityDependencies, 'stagingFolder' | 'storeEnvironment'>,
  place: string,
  work: (target: ResultsTarget) => Promise<T>,
): Promise<T> {
  return withTarget(place, { staging: dependencies.stagingFolder, env: await dependencies.storeEnvironment() }, work);
}
