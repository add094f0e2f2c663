/**
 * Runs in the workflows' context before anything else. The SDK's hook runs for each promise of a workflow, and finds the context's
 * globals by compiling these two texts. With an `Error` that has no stack it records none.
 */
const preamble = `{
  const activator = () => globalThis.__TEMPORAL_ACTIVATOR__;
  const withoutStack = () => function () {};
  const compile = Function;
  const known = (text) =>
    text === 'return globalThis.__TEMPORAL_ACTIVATOR__' ? activator : text === 'return globalThis.Error' ? withoutStack : undefined;
  Object.defineProperty(Promise, 'constructor', { value: (text) => known(text) ?? compile(text) });
}`;

/**
 * Returns a workflow bundle whose workflows keep no stack for each pending promise. The SDK keeps them for the Web UI's "stack trace" of
 * an open workflow, at half of the CPU time and most of the memory of a workflow; there is no option to do without. If
 * another version of the SDK goes about it differently, this has no effect. Pure.
 */
export function withoutPromiseStacks(bundle: string): string {
  // On the first line, so that the source map stays right.
  return `${preamble.replaceAll(/\s*\n\s*/g, ' ')} ${bundle}`;
}
