import type { RunPlan } from '../../contract/plan';
import type { PlatformChoice } from '../../stack/choose-platform';
import type { Stack } from '../../stack/stack';

/** A run as it is wanted, before anything is started. */
export interface Wanted {
  readonly plan: RunPlan;
  /** Values of the host variables that the plan references. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Such variables that are not set here: workers elsewhere must know them. */
  readonly missing: readonly string[];
  readonly choice: PlatformChoice;
  readonly configYaml: string;
  /** The user's own id or name of the run: a run that has it is attached to. Absent: the run gets an id of its own. */
  readonly runId?: string | undefined;
}

export interface Launch extends Wanted {
  readonly detach: boolean;
  readonly json: boolean;
  /** Whatever may have spoiled the scores makes the command fail. */
  readonly strict: boolean;
}

export interface Prepared extends Stack {
  readonly searchAttributes: boolean;
  readonly labelAttributes: boolean;
  /** The platform says that it makes its results up. */
  readonly isSimulated: boolean;
}
