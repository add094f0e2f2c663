/** A process that runs one batch of cases for `main.ts`, and ends: what cases leave in memory goes with it. */
import type { ChaosCase, Recording } from './cases';
import { recordPoints, runMatrix, type Recorded } from './matrix';
import { outcomeOf, type Outcome } from './outcome';
import { processStand } from './process-stand';
import { inProcessStand } from './stand';
import type { Clocks } from './worlds';

export type StandKind = 'in process' | 'processes';

interface Common {
  readonly stand: StandKind;
  readonly clocks: Clocks;
  readonly atOnce: number;
}

export type BatchJob = Common &
  (
    | { readonly kind: 'record'; readonly wanted: readonly Omit<Recording, 'points'>[]; readonly times: number }
    /** `forMs`: begin no more cases after that. */
    | { readonly kind: 'run'; readonly cases: readonly ChaosCase[]; readonly forMs: number }
  );

export type BatchNews =
  | { readonly kind: 'recorded'; readonly recorded: Recorded }
  | { readonly kind: 'outcome'; readonly outcome: Outcome }
  | { readonly kind: 'failed'; readonly message: string };

const tell = (news: BatchNews): Promise<void> =>
  new Promise((resolve) => {
    if (!process.connected) return resolve();
    process.send?.(news, undefined, undefined, () => resolve());
  });

async function work(job: BatchJob): Promise<void> {
  const stand = job.stand === 'in process' ? await inProcessStand(job.clocks) : await processStand();
  // Whoever asked for it is gone: nothing may stay behind.
  process.on('disconnect', () => void stand.close().finally(() => process.exit(1)));
  try {
    if (job.kind === 'record') await tell({ kind: 'recorded', recorded: await recordPoints(stand, job) });
    else {
      const until = performance.now() + job.forMs;
      await runMatrix(stand, {
        ...job,
        until,
        report: (result) => void tell({ kind: 'outcome', outcome: outcomeOf(result) }),
      });
    }
  } finally {
    await stand.close();
  }
}

// Ctrl-C reaches the whole group: whoever began this ends it by letting go.
process.on('SIGINT', () => undefined);
process.once('message', (job: BatchJob) => {
  void work(job)
    .catch((error: unknown) => tell({ kind: 'failed', message: (error as Error).stack ?? String(error) }))
    .finally(() => process.exit(0));
});
