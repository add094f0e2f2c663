import path from 'node:path';
import type { Client } from '@temporalio/client';
import { parse } from 'yaml';
import { z } from 'zod';
import { runConfigIn } from '../config/plan/read-script';
import type { RunPlan } from '../contract/plan';
import type { RunSnapshot } from '../contract/state';
import { mapConcurrently } from '../support/map-concurrently';
import type { HomePaths } from '../home/paths';
import { storedPlan } from '../home/run-store';
import { readSampleCounts } from '../results/scores/samples';
import { planInHistory } from './run-input';

/** What qualifies a run's numbers, as far as this host can tell. */
export interface ResultsInfo {
  /** The run's own folder of results, on the machine of its worker; `null`: not known here. */
  readonly outputDir: string | null;
  readonly samplings: readonly Sampling[];
}

/** How much of a task is evaluated. */
export interface Sampling {
  readonly index: number;
  /** `limit_samples`: so many of each subset, or a share below 1; `null`: all of them. */
  readonly limit: number | null;
  /** Samples that were evaluated; `null`: not known (yet, or the harness does not say). */
  readonly evaluated: number | null;
  /** Samples that there are in all. */
  readonly of: number | null;
}

/** Tasks whose files are looked at at once. */
const concurrency = 8;

export async function readResultsInfo(client: Client, snapshot: RunSnapshot, home: HomePaths): Promise<ResultsInfo> {
  const { invocation } = snapshot;
  // It only adds to the answer: what can't be had is left out.
  const plan = (await storedPlan(home, invocation)) ?? (await planInHistory(client, invocation).catch(() => undefined));
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

/** As the job's run config has it. */
function limitOf({ tasks }: RunPlan, index: number): number | null {
  const task = tasks.find((candidate) => candidate.index === index);
  const yaml = runConfigIn(task?.job.container.command);
  const read = limited.safeParse(yaml === undefined ? undefined : parse(yaml));
  return read.success ? read.data.config.params.limit_samples : null;
}
