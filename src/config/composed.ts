import type { Environment } from './environment';
import type { MisspeltKey } from './check/misspelt-keys';
import type { ConfigProblem } from './yaml/problems';
import type { ConfigNode } from './yaml/tree';

/** The config before interpolations are resolved. The conformance test compares it with Hydra's. */
export interface ComposedConfig {
  readonly root: ConfigNode;
  readonly file: string;
  readonly env: Environment;
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly ConfigProblem[];
  /** Overrides of keys that the config does not have. */
  readonly misspeltKeys: readonly MisspeltKey[];
  /** The config was written for another executor than Lepton. */
  readonly isForeign: boolean;
  /** A file or a group's choice is missing, so that further problems would only follow from that. */
  readonly cannotContinue: boolean;
}
