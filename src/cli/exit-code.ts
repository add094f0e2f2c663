import type { RunVerdict } from './render/outcome';
import { UsageFault } from '../support/usage-fault';
import { Interrupted } from './usage-error';

/** The one place that decides exit codes. Pure. */

/** How a command ended that did not throw. */
export type CommandOutcome =
  /** It answered or did what was asked. */
  | { readonly kind: 'done' }
  /** It waited for a run (or one task of it), and this is what came of that. */
  | { readonly kind: 'run'; readonly verdict: RunVerdict }
  /** The user left; the run goes on. */
  | { readonly kind: 'detached' }
  /** It looked for faults and found some, all in the config or also around it. */
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
    case 'detached':
      return exitCodes.interrupted;
    case 'faults':
      return outcome.blame === 'config' ? exitCodes.usage : exitCodes.infrastructure;
    case 'run':
      return verdictCodes[outcome.verdict];
  }
}

const verdictCodes: Readonly<Record<RunVerdict, number>> = {
  running: exitCodes.ok,
  succeeded: exitCodes.ok,
  failed: exitCodes.taskFailed,
  infrastructure: exitCodes.infrastructure,
  cancelled: exitCodes.cancelled,
  'teardown incomplete': exitCodes.teardown,
};

/** Everything that is not the user's to mend in what was asked is of the surroundings: Temporal, the platform, the machine. */
export function exitCodeOfError(error: unknown): number {
  if (error instanceof Interrupted) return exitCodes.interrupted;
  return error instanceof UsageFault ? exitCodes.usage : exitCodes.infrastructure;
}
