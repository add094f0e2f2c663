/**
 * Why a store didn't do what was asked. `refused`: credentials, permission, or a bucket that doesn't exist. `full`: it takes no
 * more. `damaged`: what it holds is not what was written. `unavailable`: no answer, or one that says to try again.
 */
export type StoreErrorKind = 'refused' | 'full' | 'damaged' | 'unavailable';

/** A results store failed. The message names the store and what it answered, and never a secret. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  constructor(
    readonly kind: StoreErrorKind,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
