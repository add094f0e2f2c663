import path from 'node:path';
import type { Client } from '@temporalio/client';
import { parse } from 'yaml';
import { z } from 'zod';
import { runConfigIn } from '../config/plan/read-script';
import type { RunPlan } from '../contract/plan';
import type { RunSnapshot } from '../contract/state';
import type { HomePaths } from '../home/paths';
import { readablePlan } from '../home/run-store';
import { findRecord } from '../results/scores/recorded';
import { recordedSummary } from '../results/scores/task-record';
import { imagesIn, readSummaries, type TaskSummary } from '../results/summary/task-summary';
import { resultsFolderOf } from './local-results';
import { planInHistory } from './run-input';

/** Where a run's results are, and how many samples its scores cover, as far as this host knows. */
export interface ResultsInfo {
  /** The run's results folder, on the machine of its worker; `null`: not known here. */
  readonly outputDir: string | null;
  readonly samplings: readonly Sampling[];
  /** What the result folders say besides scores, for tasks whose results are on this host. */
  readonly summaries?: readonly (TaskSummary & { readonly index: number })[];
}

/** Which part of a task's samples is evaluated. */
export interface Sampling {
  readonly index: number;
  /** `limit_samples`: a number per subset, or a fraction below 1; `null`: all samples. */
  readonly limit: number | null;
  /** Samples that were evaluated; `null`: not known (not yet, or the harness doesn't say). */
  readonly evaluated: number | null;
  /** Samples that were to be evaluated. */
  readonly asked?: number | null;
  /** How often each is asked. */
  readonly repeats?: number | null;
  /** Samples in total. */
  readonly of: number | null;
}

/** Reads what this host knows. `isClosed`: the run has ended, and its record says what its files say. */
export async function readResultsInfo(
  client: Client,
  snapshot: RunSnapshot,
  { home, isClosed }: { readonly home: HomePaths; readonly isClosed: boolean },
): Promise<ResultsInfo> {
  const { invocation } = snapshot;
  // Supplementary information: what can't be read is left out.
  const plan =
    (await readablePlan(home, invocation)) ?? (await planInHistory(client, invocation).catch(() => undefined));
  if (!plan) return { outputDir: null, samplings: [], summaries: [] };
  const summaries = await summariesOf({ snapshot, plan, home, isClosed });
  const samplings = snapshot.tasks.map(({ index }): Sampling => {
    const { done, asked, of, repeats } = summaries.get(index)?.samples ?? nothing;
    return { index, limit: limitOf(plan, index), evaluated: done, asked, of, repeats };
  });
  return {
    outputDir: await resultsFolderOf(plan),
    samplings,
    summaries: [...summaries].map(([index, summary]) => ({ index, ...summary })),
  };
}

const nothing = { done: null, asked: null, of: null, repeats: null } as const;

/** Milliseconds for reading the files of all tasks. */
const readingMs = 20_000;

interface SummariesRequest {
  readonly snapshot: RunSnapshot;
  readonly plan: RunPlan;
  readonly home: HomePaths;
  readonly isClosed: boolean;
}

async function summariesOf({
  snapshot,
  plan,
  home,
  isClosed,
}: SummariesRequest): Promise<ReadonlyMap<number, TaskSummary>> {
  const recorded = isClosed ? await recordedSummaries(plan, home) : new Map<number, TaskSummary>();
  const planned = new Map(plan.tasks.map((task) => [task.index, task]));
  const read = await readSummaries({
    tasks: snapshot.tasks.filter(({ index }) => !recorded.has(index)),
    folderOf: ({ index, outputDir }) => folderOf(plan, index) ?? outputDir ?? undefined,
    imagesOf: ({ index }) => imagesIn(planned.get(index)),
    withinMs: readingMs,
  });
  return new Map([...recorded, ...read].sort(([a], [b]) => a - b));
}

async function recordedSummaries(plan: RunPlan, home: HomePaths): Promise<Map<number, TaskSummary>> {
  const found = await findRecord(plan, home);
  const tasks = found.kind === 'found' ? found.record.tasks : [];
  return new Map(
    tasks.flatMap((task): [number, TaskSummary][] => {
      const summary = recordedSummary(task);
      return summary ? [[task.index, summary]] : [];
    }),
  );
}

const folderOf = (plan: RunPlan, index: number): string | undefined => {
  const task = plan.tasks.find((candidate) => candidate.index === index);
  return task && path.join(plan.outputDir, task.folder);
};

const limited = z.looseObject({
  config: z.looseObject({ params: z.looseObject({ limit_samples: z.coerce.number().positive() }) }),
});

/** Reads `limit_samples` from the job's run config. */
function limitOf({ tasks }: RunPlan, index: number): number | null {
  const task = tasks.find((candidate) => candidate.index === index);
  const yaml = runConfigIn(task?.job.container.command);
  const read = limited.safeParse(yaml === undefined ? undefined : parse(yaml));
  return read.success ? read.data.config.params.limit_samples : null;
}
