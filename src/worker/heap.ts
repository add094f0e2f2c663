import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { youngGenerationFlag } from '../support/heap-flags';

/** Percent by which the heap may grow, garbage included, until V8 collects it; V8's own choice goes up to 300. */
const growthPercent = 40;

/**
 * Keeps a worker's memory near what it needs: with many tasks, listings of megabytes become garbage several times a second. Costs a
 * few percent of its CPU time. A version of V8 without this flag says so on stderr and goes on.
 */
export function limitHeapGrowth(): void {
  setFlagsFromString(`--heap-growing-percent=${growthPercent}`);
  // For the workflow thread, which starts later.
  setFlagsFromString(youngGenerationFlag);
}

/** A workflow that waits takes about 100 KB of the workflow thread's heap; three per MiB use less than a third of it. */
const workflowsPerMebibyte = 3;
/** At least a run of some hundred tasks; at most as many as there are places for waiting activities (src/worker.ts). */
const bounds = { least: 1_000, most: 12_000 } as const;

/**
 * Returns how many workflows a worker keeps in memory; others are replayed at each of their steps. The SDK's default counts with 1.7 MB
 * each. `limitBytes`: of the heap of one thread.
 */
export function cachedWorkflows(limitBytes = getHeapStatistics().heap_size_limit): number {
  const fitting = Math.floor((limitBytes / 2 ** 20) * workflowsPerMebibyte);
  return Math.min(Math.max(fitting, bounds.least), bounds.most);
}
