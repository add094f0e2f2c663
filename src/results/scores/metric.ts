import type { Metrics } from '../../contract/state';

/** One score of a `results.yml`. Numbers that JSON does not have are the strings `NaN`, `Infinity`, `-Infinity`. */
export interface Metric {
  /** Unique within its file, e.g. `hellaswag_acc_norm`, `mmlu_stem_acc`. */
  readonly name: string;
  readonly value: number | string;
  /** `null`: the harness gives none. */
  readonly stderr: number | string | null;
  /** Samples that the value was computed from; `null`: the harness does not say. */
  readonly count: number | null;
  readonly kind: 'task' | 'group';
  /** The groups that hold it, outermost first, and then its own task or group. */
  readonly path: readonly string[];
}

/** What a `results.yml` says. */
export interface Scores {
  /** In the order of the file; a group's own scores come before those of the groups in it. */
  readonly metrics: readonly Metric[];
  /** What a reader of the scores must know: what was not computed, could not be read, or was renamed. */
  readonly notes: readonly string[];
}

/** Name to value, each standard error as `<name>_stderr` behind its metric: the form that snapshots and JSON have. Pure. */
export function flatMetrics(metrics: readonly Metric[]): Metrics {
  const names = new Set(metrics.map(({ name }) => name));
  return Object.fromEntries(
    metrics.flatMap(({ name, value, stderr }): [string, number | string][] => {
      const errorName = `${name}_stderr`;
      return stderr === null || names.has(errorName)
        ? [[name, value]]
        : [
            [name, value],
            [errorName, stderr],
          ];
    }),
  );
}
