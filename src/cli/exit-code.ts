import type { RunVerdict } from './render/outcome';
import { UsageFault } from '../support/usage-fault';
import { Interrupted } from './usage-error';

/** The one place that decides exit codes. Pure. */

/** Outcome of a command that did not throw. */
export type CommandOutcome =
  /** It did what was asked. */
  | { readonly kind: 'done' }
  /** It waited for a run (or one task of it), with this verdict. */
  | { readonly kind: 'run'; readonly verdict: RunVerdict }
  /** With `--strict`: something was found that may have spoiled the scores. */
  | { readonly kind: 'spoiled' }
  /** The user left; the run continues. */
  | { readonly kind: 'detached' }
  /** It judged results that are there, and nothing else. */
  | { readonly kind: 'judged'; readonly verdict: 'no regression' | 'regression' | "can't tell" }
  /** It found faults: all of them in the config, or some elsewhere. */
  | { readonly kind: 'faults'; readonly blame: 'config' | 'surroundings' };

export const done: CommandOutcome = { kind: 'done' };

export const exitCodes = {
  ok: 0,
  taskFailed: 1,
  usage: 2,
  infrastructure: 3,
  cancelled: 4,
  teardown: 5,
  interrupted: 130,
} as const;

export function exitCodeOf(outcome: CommandOutcome): number {
  switch (outcome.kind) {
    case 'done':
      return exitCodes.ok;
    case 'spoiled':
      return exitCodes.taskFailed;
    case 'detached':
      return exitCodes.interrupted;
    case 'faults':
      return outcome.blame === 'config' ? exitCodes.usage : exitCodes.infrastructure;
    case 'judged':
      return judgedCodes[outcome.verdict];
    case 'run':
      return verdictCodes[outcome.verdict];
  }
}

/** As of other tools that compare results; 2 is also a usage error's, and neither says that all is well. */
const judgedCodes = { 'no regression': 0, regression: 1, "can't tell": 2 } as const;

const verdictCodes: Readonly<Record<RunVerdict, number>> = {
  running: exitCodes.ok,
  succeeded: exitCodes.ok,
  failed: exitCodes.taskFailed,
  infrastructure: exitCodes.infrastructure,
  'not admitted': exitCodes.usage,
  cancelled: exitCodes.cancelled,
  'teardown incomplete': exitCodes.teardown,
};

/** Errors that are not about the user's input are infrastructure errors: Temporal, the platform, this machine. */
export function exitCodeOfError(error: unknown): number {
  if (error instanceof Interrupted) return exitCodes.interrupted;
  return error instanceof UsageFault ? exitCodes.usage : exitCodes.infrastructure;
}
