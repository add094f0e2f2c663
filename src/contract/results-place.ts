import type { RunPlan } from './plan';

/**
 * Places of results. A place is an absolute folder of one machine, or a URL in a store that every machine can reach:
 * `s3://bucket/prefix` or `file:///shared/folder` (a shared file system).
 */

type Placed = Pick<RunPlan, 'invocation' | 'outputDir' | 'resultsStore'>;

/** Returns where a run's files are written: in its results store or, without one, on the machine that started it. Pure. */
export const resultsPlaceOf = ({ resultsStore, invocation, outputDir }: Placed): string =>
  resultsStore === undefined ? outputDir : `${resultsStore}/${invocation}`;

/** Whether the place is in a store. Pure. */
export const isInStore = (place: string): boolean => /^(s3|file):\/\//.test(place);

/** Name of the file in a run's place that holds its sealed secrets. Never copied to anyone's machine. */
export const sealedSecretsName = '.secrets.sealed';
/** Name of the file there with the run's resolved config, secrets masked. */
export const storedConfigName = 'config.yaml';
