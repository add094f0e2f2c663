import fc from 'fast-check';

/** EVALSAGA_FUZZ_FACTOR=20 runs 20 times as many inputs, different each time, for a manual search. */
export const fuzzFactor = Number(process.env['EVALSAGA_FUZZ_FACTOR'] ?? '1');

/**
 * `fc.assert` with the same inputs every time, so that a failure is due to the current change. What a manual search
 * finds becomes a test case of its own.
 */
export const holds = ((property: fc.IAsyncProperty<unknown>, parameters: fc.Parameters<unknown> = {}) =>
  fc.assert(property, {
    ...(fuzzFactor === 1 ? { seed: 7 } : {}),
    ...parameters,
    numRuns: (parameters.numRuns ?? 100) * fuzzFactor,
  })) as typeof fc.assert;
