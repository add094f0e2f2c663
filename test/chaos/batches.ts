import { fork, type ChildProcess } from 'node:child_process';
import path from 'node:path';
import type { BatchJob, BatchMessage, TestBedKind } from './batch';
import type { ChaosCase, Recording } from './cases';
import type { Recorded } from './matrix';
import { outcomeOf, type Outcome } from './outcome';
import { clocksOf, type World } from './worlds';

/** Cases run in several child processes, each with its own clock, Temporal server and worker for many cases. */
export interface BatchSettings {
  readonly testBed: TestBedKind;
  /** Number of processes at the same time. */
  readonly processes: number;
  /** Number of cases at the same time in each process. */
  readonly atOnce: number;
}

/** Cases per process: a new process takes some seconds to start, and an old one gets slow. */
const batchSize = { 'in process': 120, processes: 40 } as const;

const root = path.resolve(__dirname, '..', '..');
const children = new Set<ChildProcess>();

let isEnding = false;

/** Ends all batches, whose processes clean up, and starts no more. */
export function endBatches(): void {
  isEnding = true;
  for (const child of children) if (child.connected) child.disconnect();
}

export async function recordInBatches(
  wanted: readonly Omit<Recording, 'points'>[],
  { times, ...settings }: BatchSettings & { readonly times: number },
): Promise<Recorded> {
  const found: Recorded[] = [];
  const groups = grouped(wanted, () => '', Math.ceil(wanted.length / settings.processes));
  await runConcurrently(groups, settings.processes, async (group) => {
    const job = { kind: 'record', ...settings, clocks: clocksOf('plain'), wanted: group, times } as const;
    await runBatch(job, (message) => {
      if (message.kind === 'recorded') found.push(message.recorded);
    });
  });
  return {
    recordings: found.flatMap(({ recordings }) => recordings),
    broken: found.flatMap(({ broken }) => broken),
  };
}

export async function runInBatches(
  cases: readonly ChaosCase[],
  {
    until,
    report,
    ...settings
  }: BatchSettings & { readonly until: number; readonly report: (outcome: Outcome) => void },
): Promise<void> {
  const groups = grouped(cases, ({ world }) => JSON.stringify(clocksOf(world)), batchSize[settings.testBed]);
  await runConcurrently(groups, settings.processes, async (group) => {
    const open = new Map(group.map((one) => [one.id, one]));
    const forMs = until - performance.now();
    if (forMs <= 0) return;
    const job = { kind: 'run', ...settings, clocks: clocksOf(worldOf(group)), cases: group, forMs } as const;
    const failure = await runBatch(job, (message) => {
      if (message.kind !== 'outcome') return;
      open.delete(message.outcome.id);
      report(message.outcome);
    });
    if (failure === undefined || isEnding) return;
    for (const one of open.values())
      report(outcomeOf({ one, violations: [`its batch ended: ${failure}`], reached: true, swept: false, ms: 0 }));
  });
}

const worldOf = (group: readonly { readonly world: World }[]): World => group[0]?.world ?? 'plain';

/** Runs a batch; resolves to why it failed, or `undefined`. */
function runBatch(job: BatchJob, onMessage: (message: BatchMessage) => void): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = fork(path.join(__dirname, 'batch.ts'), [], {
      execArgv: [
        // Many objects are short-lived.
        '--max-semi-space-size=32',
        '--require',
        path.join(__dirname, 'clock.cjs'),
        '--require',
        path.join(root, 'scripts', 'typescript.cjs'),
      ],
      // The Temporal server prints a banner on stdout.
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      env: { ...process.env, EVALSAGA_CHAOS_CLOCK: String(job.clocks.own) },
    });
    children.add(child);
    let failure: string | undefined;
    child.on('message', (message: BatchMessage) => {
      if (message.kind === 'failed') failure = message.message;
      else onMessage(message);
    });
    child.on('exit', (code, signal) => {
      children.delete(child);
      resolve(failure ?? (code === 0 ? undefined : `its process ended with ${code ?? signal}`));
    });
    child.send(job);
  });
}

function grouped<T>(all: readonly T[], keyOf: (item: T) => string, size: number): T[][] {
  const groups = new Map<string, T[][]>();
  for (const item of all) {
    const own = groups.get(keyOf(item)) ?? [];
    groups.set(keyOf(item), own);
    const last = own.at(-1);
    if (last && last.length < size) last.push(item);
    else own.push([item]);
  }
  return [...groups.values()].flat();
}

async function runConcurrently<T>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = [...items];
  const runNext = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined && !isEnding; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, runNext));
}
