import { UsageFault } from '../support/usage-fault';

/** What can be wrong with the run that somebody asks for. */

export class RunNotFound extends Error {
  override readonly name = 'RunNotFound';
}
export class AmbiguousRun extends UsageFault {
  override readonly name = 'AmbiguousRun';
  constructor(
    prefix: string,
    readonly candidates: readonly string[],
  ) {
    super(
      `"${prefix}" fits ${candidates.length} runs: ${candidates.slice(0, 5).join(', ')}${candidates.length > 5 ? ', …' : ''}. Give more digits.`,
    );
  }
}
export class MalformedId extends UsageFault {
  override readonly name = 'MalformedId';
}
/** A run with this id exists already, running or closed. */
export class RunExists extends Error {
  override readonly name = 'RunExists';
}
export class PlanTooLarge extends UsageFault {
  override readonly name = 'PlanTooLarge';
}
