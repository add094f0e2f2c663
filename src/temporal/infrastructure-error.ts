/** Temporal, or the stack around it, can't be used. Exit code 3. The message says what was tried and what to do. */
export class InfrastructureError extends Error {
  override readonly name: string = 'InfrastructureError';
}
