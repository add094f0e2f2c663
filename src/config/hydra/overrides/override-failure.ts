/** An override cannot be read or applied; `hint` says how to fix it. */
export class OverrideFailure extends Error {
  constructor(
    message: string,
    readonly hint?: string,
  ) {
    super(message);
  }
}
