/** Temporal (or the stack around it) is not usable: exit code 3. The message says what was tried and what to do. */
export class InfrastructureError extends Error {
  override readonly name: string = 'InfrastructureError';
}
