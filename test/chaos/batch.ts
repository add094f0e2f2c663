/** A process that runs one batch of cases for `main.ts` and exits, which frees whatever the cases left in memory. */
import type { ChaosCase, Recording } from './cases';
import { recordPoints, runMatrix, type Recorded } from './matrix';
import { outcomeOf, type Outcome } from './outcome';
import { processTestBed } from './process-test-bed';
import { inProcessTestBed } from './test-bed';
import type { Clocks } from './worlds';

export type TestBedKind = 'in process' | 'processes';

interface BatchOptions {
  readonly testBed: TestBedKind;
  readonly clocks: Clocks;
  readonly atOnce: number;
}

export type BatchJob = BatchOptions &
  (
    | { readonly kind: 'record'; readonly wanted: readonly Omit<Recording, 'points'>[]; readonly times: number }
    /** No case begins after `forMs`. */
    | { readonly kind: 'run'; readonly cases: readonly ChaosCase[]; readonly forMs: number }
  );

export type BatchMessage =
  | { readonly kind: 'recorded'; readonly recorded: Recorded }
  | { readonly kind: 'outcome'; readonly outcome: Outcome }
  | { readonly kind: 'failed'; readonly message: string };

const send = (message: BatchMessage): Promise<void> =>
  new Promise((resolve) => {
    if (!process.connected) return resolve();
    process.send?.(message, undefined, undefined, () => resolve());
  });

async function work(job: BatchJob): Promise<void> {
  const testBed = job.testBed === 'in process' ? await inProcessTestBed(job.clocks) : await processTestBed();
  // The parent has gone: leave nothing running.
  process.on('disconnect', () => void testBed.close().finally(() => process.exit(1)));
  try {
    if (job.kind === 'record') await send({ kind: 'recorded', recorded: await recordPoints(testBed, job) });
    else {
      const until = performance.now() + job.forMs;
      await runMatrix(testBed, {
        ...job,
        until,
        report: (result) => void send({ kind: 'outcome', outcome: outcomeOf(result) }),
      });
    }
  } finally {
    await testBed.close();
  }
}

// Ctrl-C reaches the whole process group. This process ends when its parent disconnects.
process.on('SIGINT', () => undefined);
process.once('message', (job: BatchJob) => {
  void work(job)
    .catch((error: unknown) => send({ kind: 'failed', message: (error as Error).stack ?? String(error) }))
    .finally(() => process.exit(0));
});
