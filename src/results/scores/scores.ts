import type { Metric } from '../../contract/metric';

/** Contents of a `results.yml`. */
export interface Scores {
  /** In the order of the file; a group's own scores come before those of the groups in it. */
  readonly metrics: readonly Metric[];
  /** What a reader of the scores must know: what was not computed, could not be read, or was renamed. */
  readonly notes: readonly string[];
}
