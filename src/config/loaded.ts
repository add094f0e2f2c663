import type { Environment } from './environment';
import type { ConfigProblem } from './yaml/problems';
import type { ResolvedConfig } from './schema/config';
import type { ConfigNode } from './yaml/tree';

/** A config that is read, composed and validated: what plans are made from. */
export interface LoadedConfig {
  /** Typed and validated. */
  readonly resolved: ResolvedConfig;
  /** The resolved config with secrets masked, as YAML. */
  readonly yaml: string;
  /** Absolute path of the config file. */
  readonly file: string;
  /**
   * The variables the config was read with: the caller's, those of the env file behind them, and the secret parts of URLs
   * (`EVALSAGA_URL_SECRET_N`). Holds secrets.
   */
  readonly env: Environment;
  /** The resolved tree: each value with the place it came from. Holds secrets from the environment. */
  readonly root: ConfigNode;
  /** What works, and is perhaps not what was meant. */
  readonly warnings: readonly ConfigProblem[];
  /** What the caller's own environment (not the env file) allows. */
  readonly trust: {
    /** `NEMO_EVALUATOR_TRUST_PRE_CMD=1`: shell lines of the config may run. */
    readonly commands: boolean;
    /** `NEMO_EVALUATOR_TRUST_UNLISTED_TASKS=1`: tasks outside the catalogue may run. */
    readonly unlistedTasks: boolean;
  };
}
