import { fork, type ChildProcess } from 'node:child_process';
import path from 'node:path';
import type { BatchJob, BatchNews, StandKind } from './batch';
import type { ChaosCase, Recording } from './cases';
import type { Recorded } from './matrix';
import { outcomeOf, type Outcome } from './outcome';
import { clocksOf, type World } from './worlds';

/** Cases in processes of their own: several at the same time, each with a clock, a Temporal server and a worker for many cases. */
export interface BatchSettings {
  readonly stand: StandKind;
  /** At the same time. */
  readonly processes: number;
  /** Cases at the same time within each. */
  readonly atOnce: number;
}

/** Cases per process: a new process costs some seconds, and an old one gets slow. */
const batchSize = { 'in process': 120, processes: 40 } as const;

const root = path.resolve(__dirname, '..', '..');
const children = new Set<ChildProcess>();

let isEnding = false;

/** Ends what is under way, and begins nothing more; its processes clear up. */
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
  await inTurns(groups, settings.processes, async (group) => {
    const job = { kind: 'record', ...settings, clocks: clocksOf('plain'), wanted: group, times } as const;
    await runBatch(job, (news) => {
      if (news.kind === 'recorded') found.push(news.recorded);
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
  const groups = grouped(cases, ({ world }) => JSON.stringify(clocksOf(world)), batchSize[settings.stand]);
  await inTurns(groups, settings.processes, async (group) => {
    const open = new Map(group.map((one) => [one.id, one]));
    const forMs = until - performance.now();
    if (forMs <= 0) return;
    const job = { kind: 'run', ...settings, clocks: clocksOf(worldOf(group)), cases: group, forMs } as const;
    const failure = await runBatch(job, (news) => {
      if (news.kind !== 'outcome') return;
      open.delete(news.outcome.id);
      report(news.outcome);
    });
    if (failure === undefined || isEnding) return;
    for (const one of open.values())
      report(outcomeOf({ one, violations: [`its batch ended: ${failure}`], reached: true, swept: false, ms: 0 }));
  });
}

const worldOf = (group: readonly { readonly world: World }[]): World => group[0]?.world ?? 'plain';

/** Resolves to why it failed. */
function runBatch(job: BatchJob, hear: (news: BatchNews) => void): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = fork(path.join(__dirname, 'batch.ts'), [], {
      execArgv: [
        // Much is made and soon forgotten.
        '--max-semi-space-size=32',
        '--require',
        path.join(__dirname, 'clock.cjs'),
        '--require',
        path.join(root, 'scripts', 'typescript.cjs'),
      ],
      // A Temporal server greets.
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      env: { ...process.env, EVALSAGA_CHAOS_CLOCK: String(job.clocks.own) },
    });
    children.add(child);
    let failure: string | undefined;
    child.on('message', (news: BatchNews) => {
      if (news.kind === 'failed') failure = news.message;
      else hear(news);
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

async function inTurns<T>(items: readonly T[], atOnce: number, work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const turn = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined && !isEnding; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, turn));
}
