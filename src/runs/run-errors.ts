import { UsageFault } from '../support/usage-fault';

/** Errors about the run that was asked for. */

/** Neither Temporal nor this host knows the run: its id or name may be mistyped, or it may be known elsewhere. Exit code 3. */
export class RunNotFound extends Error {
  override readonly name = 'RunNotFound';
}
export class AmbiguousRun extends UsageFault {
  override readonly name = 'AmbiguousRun';
  constructor(
    prefix: string,
    readonly candidates: readonly string[],
    advice = 'Give more digits.',
  ) {
    super(
      `"${prefix}" matches ${candidates.length} runs: ${candidates.slice(0, 5).join(', ')}${candidates.length > 5 ? ', …' : ''}. ${advice}`,
    );
  }
}
export class MalformedId extends UsageFault {
  override readonly name = 'MalformedId';
}
/** A run with this id already exists, open or closed. */
export class RunExists extends UsageFault {
  override readonly name = 'RunExists';
}
/** A run with this id exists, and evaluates something else. */
export class RunDiffers extends UsageFault {
  override readonly name = 'RunDiffers';
}
export class PlanTooLarge extends UsageFault {
  override readonly name = 'PlanTooLarge';
}
