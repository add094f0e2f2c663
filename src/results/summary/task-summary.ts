import { z } from 'zod';
import { costAt, rounded, usagesOf } from '../../contract/cost';
import { secondsOf, usefulShare } from '../../contract/gpu-share';
import type { BudgetPlan, TaskPlan } from '../../contract/plan';
import type { TaskSnapshot, Usage } from '../../contract/state';
import { mapConcurrently } from '../../support/map-concurrently';
import type { Distribution } from '../requests/distribution';
import type { RequestStats } from '../requests/request-stats';
import type { TokenDistributions } from '../requests/token-counts';
import { readEvidence, type Evidence } from '../validity/evidence';
import { findingSchema, type Finding } from '../validity/finding';
import { findingsOf, type Judged } from '../validity/findings';
import { samplesOf, type Samples } from './samples';

/** What a task's result folder says besides its scores: in `run.json`, in `--json`, and in reports. */
export interface TaskSummary {
  readonly samples: Samples | null;
  readonly requests: RequestStats | null;
  /** From request to answer as the harness saw it, milliseconds; `null`: its log doesn't say. */
  readonly latencyMs: Distribution | null;
  /** Tokens per request; absent or `null`: the evaluator kept nothing of single requests, or an older build read them. */
  readonly tokens?: TokenDistributions | null | undefined;
  /** Versions of the harness' tasks, by name. */
  readonly versions: Readonly<Record<string, string>>;
  readonly findings: readonly Finding[];
}

/** What a task took. */
export interface TaskCosts {
  /** Seconds for which its own endpoint existed; `null`: it has none. */
  readonly endpointSeconds: number | null;
  readonly jobSeconds: number | null;
  /** Seconds in which requests were under way. */
  readonly requestSeconds: number | null;
  /** Part of `endpointSeconds` in which requests were under way, 0 to 1. */
  readonly usefulShare: number | null;
  /** In the currency of the budget; `null`: the run has none. */
  readonly cost: number | null;
}

export interface SummaryRequest {
  readonly tasks: readonly TaskSnapshot[];
  /** Where the results of a task are on this machine; `undefined`: not here. */
  readonly folderOf: (task: TaskSnapshot) => string | undefined;
  readonly imagesOf?: (task: TaskSnapshot) => Judged['images'];
  /** Milliseconds for all tasks; those that aren't reached have no summary. */
  readonly withinMs: number;
}

/** Folders read at once. */
const concurrency = 8;

/** Reads the folders of tasks whose results are home. By index; tasks without results have no entry. */
export async function readSummaries(request: SummaryRequest): Promise<ReadonlyMap<number, TaskSummary>> {
  const { tasks, folderOf, imagesOf, withinMs } = request;
  const deadline = Date.now() + withinMs;
  const summaries = new Map<number, TaskSummary>();
  await mapConcurrently(tasks, concurrency, async (task) => {
    const folder = task.outputDir === null ? undefined : folderOf(task);
    if (folder === undefined || Date.now() > deadline) return;
    const evidence = await readEvidence(folder, { deadline, notBeforeMs: beganAtMs(task) }).catch(() => undefined);
    if (evidence) summaries.set(task.index, summaryOf({ task, evidence, images: imagesOf?.(task) }));
  });
  return summaries;
}

/**
 * Returns when a task's first endpoint began to exist, or its first job where it has no endpoint of its own; what was evaluated in its
 * folder before then was not of this run. `undefined`: not known. Pure.
 */
export function beganAtMs(task: Pick<TaskSnapshot, 'usage' | 'earlierUsage' | 'startedAt'>): number | undefined {
  const usages = usagesOf(task);
  const first = (what: keyof Usage): string | undefined => usages.flatMap((usage) => usage[what]?.from ?? [])[0];
  const from = first('endpoint') ?? first('job') ?? task.startedAt;
  return from === null ? undefined : Date.parse(from);
}

/** Pure. */
export function summaryOf(judged: Judged): TaskSummary {
  const { evidence } = judged;
  return {
    samples: samplesOf(evidence),
    requests: evidence.requests ?? null,
    latencyMs: evidence.log?.latencyMs ?? null,
    tokens: evidence.tokens ?? null,
    versions: versionsOf(evidence),
    findings: findingsOf(judged),
  };
}

const versionsOf = ({ harness }: Evidence): Record<string, string> =>
  Object.fromEntries(
    (harness?.tasks ?? []).flatMap(({ name, version }) => (version === null ? [] : [[name, version]])),
  );

/** Returns what a task took until `nowMs`. Pure. */
export function taskCosts(
  task: Pick<TaskSnapshot, 'usage' | 'earlierUsage' | 'endpoint'>,
  {
    summary,
    budget,
    nowMs,
  }: {
    readonly summary: TaskSummary | undefined;
    readonly budget: BudgetPlan | null | undefined;
    readonly nowMs: number;
  },
): TaskCosts {
  const total = (what: keyof Usage): number | null =>
    usagesOf(task)
      .map((usage) => secondsOf(usage[what], nowMs))
      .reduce((sum, seconds) => (seconds === null ? sum : (sum ?? 0) + seconds), null);
  const endpointSeconds = total('endpoint');
  const requestSeconds = summary?.requests?.requestSeconds ?? null;
  return {
    endpointSeconds,
    jobSeconds: total('job'),
    requestSeconds,
    usefulShare: usefulShare([{ endpointSeconds, requestSeconds }]),
    cost: budget ? rounded(costAt([task], budget, nowMs)) : null,
  };
}

/**
 * Returns the useful share of the endpoints of all tasks together. `shared`: of those, the ones that serve the model of several tasks
 * count; requests of different tasks at the same time count for each. Pure.
 */
export function usefulShareOf(
  tasks: readonly (Pick<TaskSnapshot, 'usage' | 'earlierUsage' | 'endpoint'> & { readonly summary?: TaskSummary })[],
  {
    shared = [],
    budget,
    nowMs,
  }: {
    readonly shared?: readonly Pick<TaskSnapshot, 'usage' | 'endpoint'>[] | undefined;
    readonly budget: BudgetPlan | null | undefined;
    readonly nowMs: number;
  },
): number | null {
  const own = tasks.map((task) => taskCosts(task, { summary: task.summary, budget, nowMs }));
  const pooled = shared.map(({ usage, endpoint }) => {
    const seconds = tasks.flatMap((task) =>
      endpoint !== null && task.endpoint === endpoint ? (task.summary?.requests?.requestSeconds ?? []) : [],
    );
    const requestSeconds = seconds.length === 0 ? null : seconds.reduce((sum, each) => sum + each, 0);
    return { endpointSeconds: secondsOf(usage?.endpoint, nowMs), requestSeconds };
  });
  return usefulShare([...own, ...pooled]);
}

/** Returns the image of a planned task's job if the catalogue has another one. Pure. */
export const imagesIn = (planned: TaskPlan | undefined): Judged['images'] =>
  planned?.cataloguedImage === undefined
    ? undefined
    : { used: planned.job.container.image, catalogued: planned.cataloguedImage };

const nullableNumber = z.number().nullable();
const amount = z.object({ mean: z.number(), max: z.number(), total: nullableNumber }).nullable();
const distribution = z
  .object({
    count: z.number(),
    min: z.number(),
    mean: z.number(),
    p50: z.number(),
    p90: z.number(),
    p99: z.number(),
    max: z.number(),
    bins: z.array(z.object({ from: z.number(), until: z.number(), count: z.number() })),
  })
  .nullable();
const numbers = z.record(z.string(), z.number());

/** Of a summary in `run.json`. */
export const taskSummarySchema: z.ZodType<TaskSummary> = z.object({
  samples: z
    .object({ done: nullableNumber, asked: nullableNumber, of: nullableNumber, repeats: nullableNumber })
    .nullable(),
  requests: z
    .object({
      count: z.number(),
      successful: z.number(),
      statusCodes: numbers,
      finishReasons: numbers,
      promptTokens: amount,
      completionTokens: amount,
      latencyMs: amount,
      requestSeconds: nullableNumber,
      runtimeSeconds: nullableNumber,
      runs: z.number(),
    })
    .nullable(),
  latencyMs: distribution,
  tokens: z.object({ prompt: distribution, completion: distribution }).nullish(),
  versions: z.record(z.string(), z.string()),
  findings: z.array(findingSchema),
});
