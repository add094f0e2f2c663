import { setFlagsFromString } from 'node:v8';

/** Percent by which the heap may grow, garbage included, until V8 collects it; V8's own choice goes up to 300. */
const growthPercent = 40;

/**
 * Keeps a worker's memory near what it needs: with many tasks, listings of megabytes become garbage several times a second. Costs a
 * few percent of its CPU time. A version of V8 without this flag says so on stderr and goes on.
 */
export const limitHeapGrowth = (): void => setFlagsFromString(`--heap-growing-percent=${growthPercent}`);
