import path from 'node:path';
import type { Client } from '@temporalio/client';
import { parse } from 'yaml';
import { z } from 'zod';
import { runConfigIn } from '../config/plan/read-script';
import type { RunPlan } from '../contract/plan';
import type { RunSnapshot } from '../contract/state';
import { mapConcurrently } from '../support/map-concurrently';
import type { HomePaths } from '../home/paths';
import { readablePlan } from '../home/run-store';
import { readSampleCounts } from '../results/scores/sample-counts';
import { planInHistory } from './run-input';

/** Where a run's results are, and how many samples its scores cover, as far as this host knows. */
export interface ResultsInfo {
  /** The run's results folder, on the machine of its worker; `null`: not known here. */
  readonly outputDir: string | null;
  readonly samplings: readonly Sampling[];
}

/** Which part of a task's samples is evaluated. */
export interface Sampling {
  readonly index: number;
  /** `limit_samples`: a number per subset, or a fraction below 1; `null`: all samples. */
  readonly limit: number | null;
  /** Samples that were evaluated; `null`: not known (not yet, or the harness doesn't say). */
  readonly evaluated: number | null;
  /** Samples in total. */
  readonly of: number | null;
}

/** Tasks whose files are read in parallel. */
const concurrency = 8;

export async function readResultsInfo(client: Client, snapshot: RunSnapshot, home: HomePaths): Promise<ResultsInfo> {
  const { invocation } = snapshot;
  // Supplementary information: what can't be read is left out.
  const plan =
    (await readablePlan(home, invocation)) ?? (await planInHistory(client, invocation).catch(() => undefined));
  if (!plan) return { outputDir: null, samplings: [] };
  const samplings = await mapConcurrently([...snapshot.tasks], concurrency, async ({ index, outputDir }) => ({
    index,
    limit: limitOf(plan, index),
    ...(outputDir === null ? unknown : await evaluatedIn(folderOf(plan, index) ?? outputDir)),
  }));
  return { outputDir: plan.outputDir, samplings };
}

const unknown = { evaluated: null, of: null } as const;

const folderOf = (plan: RunPlan, index: number): string | undefined => {
  const task = plan.tasks.find((candidate) => candidate.index === index);
  return task && path.join(plan.outputDir, task.folder);
};

async function evaluatedIn(folder: string): Promise<Pick<Sampling, 'evaluated' | 'of'>> {
  const counts = Object.values(await readSampleCounts(folder).catch(() => ({})));
  if (counts.length === 0) return unknown;
  const sum = (read: (count: (typeof counts)[number]) => number): number =>
    counts.reduce((total, count) => total + read(count), 0);
  return { evaluated: sum(({ effective }) => effective), of: sum(({ original }) => original) };
}

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
