/** Why an override can't be read or applied; `hint` says what to write instead. */
export class OverrideFailure extends Error {
  constructor(
    message: string,
    readonly hint?: string,
  ) {
    super(message);
  }
}
