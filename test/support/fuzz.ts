import fc from 'fast-check';

/** For a search by hand, with other inputs each time: EVALSAGA_FUZZ_FACTOR=20 makes it so many times as many. */
export const fuzzFactor = Number(process.env['EVALSAGA_FUZZ_FACTOR'] ?? '1');

/**
 * `fc.assert` with the same inputs every time: what a test run finds is then due to the change at hand. What a search finds
 * besides becomes a case of its own.
 */
export const holds = ((property: fc.IAsyncProperty<unknown>, parameters: fc.Parameters<unknown> = {}) =>
  fc.assert(property, {
    ...(fuzzFactor === 1 ? { seed: 7 } : {}),
    ...parameters,
    numRuns: (parameters.numRuns ?? 100) * fuzzFactor,
  })) as typeof fc.assert;
