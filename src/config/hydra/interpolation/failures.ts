/** Why interpolations cannot be resolved. */

/** An interpolation cannot be resolved. The caller, which knows where it is, reports it. */
export class ResolutionFailure extends Error {
  /** Dotted path of the value at fault; other values only refer to it. */
  failedPath: string | undefined;

  constructor(
    message: string,
    readonly hint?: string,
  ) {
    super(message);
  }
}

/** A failure of values that refer to each other, each of them as much at fault as the others. */
export class ChainFailure extends ResolutionFailure {
  constructor(
    message: string,
    /** Dotted paths of the values in the cycle; empty if unknown. */
    readonly members: readonly string[] = [],
  ) {
    super(message);
  }
}

/** Whether a failure at `path` is reported at another value, which is at fault. */
export const isReportedElsewhere = (error: ResolutionFailure, path: string): boolean =>
  error instanceof ChainFailure
    ? error.members.length > 0 && !error.members.includes(path)
    : error.failedPath !== undefined && error.failedPath !== path;
