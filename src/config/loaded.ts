import type { Environment } from './environment';
import type { ConfigProblem } from './yaml/problems';
import type { ResolvedConfig } from './schema/config';
import type { ConfigNode } from './yaml/tree';

/** A config in which the parts of one model, and of the deployment of some tasks, are merged over the common ones. */
export interface VariantConfig {
  /** Name in `models`; `null`: the config has none. */
  readonly model: string | null;
  /** With its own tasks only. */
  readonly resolved: ResolvedConfig;
  readonly root: ConfigNode;
  /** Position of each of its tasks in the run. */
  readonly positions: readonly number[];
  /** Returns where the value at a dotted path in `root` stands in the config as it was written. */
  readonly pathAsWritten: (path: string) => string;
}

/** A config that has been read, composed and validated, ready for planning. */
export interface LoadedConfig {
  /** Typed and validated; of several variants, the first. */
  readonly resolved: ResolvedConfig;
  /** What is planned. Absent: the config itself. */
  readonly variants?: readonly VariantConfig[];
  /** The resolved config with secrets masked, as YAML. */
  readonly yaml: string;
  /** Absolute path of the config file. */
  readonly file: string;
  /**
   * The variables the config was read with: the caller's, those of the env file that the caller does not set, and the secret
   * parts of URLs (`EVALSAGA_URL_SECRET_N`). Holds secrets.
   */
  readonly env: Environment;
  /** The resolved tree: each value with its origin. Holds secrets from the environment. */
  readonly root: ConfigNode;
  /** Valid, but perhaps not what was meant. */
  readonly warnings: readonly ConfigProblem[];
  /** What the caller's environment allows. The env file cannot allow it. */
  readonly trust: {
    /** `NEMO_EVALUATOR_TRUST_PRE_CMD=1`: `pre_cmd` and `post_cmd` may run. */
    readonly commands: boolean;
    /** `NEMO_EVALUATOR_TRUST_UNLISTED_TASKS=1`: tasks outside the catalogue may run. */
    readonly unlistedTasks: boolean;
  };
}
