import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { parsePythonJson } from './python-json';

/** What the evaluator counted of a task's requests, from its `eval_factory_metrics.json`. */
export interface RequestStats {
  /** Requests that were answered, with whatever status; answers from a cache are not among them. */
  readonly count: number;
  readonly successful: number;
  /** Number of answers by HTTP status. */
  readonly statusCodes: Readonly<Record<string, number>>;
  /** Number of answers by finish reason, e.g. `stop`, `length`. */
  readonly finishReasons: Readonly<Record<string, number>>;
  readonly promptTokens: Amount | null;
  readonly completionTokens: Amount | null;
  readonly latencyMs: Amount | null;
  /** Seconds from the first request until the last answer, without what earlier jobs of the same folder did; `null`: not known. */
  readonly requestSeconds: number | null;
  /** Seconds that the evaluator ran. */
  readonly runtimeSeconds: number | null;
  /** How often the evaluator was started in this folder. */
  readonly runs: number;
}

export interface Amount {
  readonly mean: number;
  readonly max: number;
  /** Of all requests together, rounded; `null`: a sum makes no sense. */
  readonly total: number | null;
}

const number = z.number().nullish().catch(null);
const counts = z.record(z.string(), z.number()).catch({});

const runTimes = z.looseObject({
  run_start: z.string().nullish().catch(null),
  last_request_time: z.string().nullish().catch(null),
  inference_time: number,
});

const fileSchema = z.looseObject({
  response_stats: z
    .looseObject({
      count: z.number().default(0),
      successful_count: z.number().default(0),
      avg_prompt_tokens: number,
      max_prompt_tokens: number,
      avg_completion_tokens: number,
      max_completion_tokens: number,
      avg_latency_ms: number,
      max_latency_ms: number,
      finish_reason: counts.default({}),
      status_codes: counts.default({}),
      inference_time: number,
      last_request_time: number,
      inference_run_times: z.record(z.string(), runTimes).default({}).catch({}),
    })
    .optional(),
  evaluation: z.looseObject({ runtime_seconds: number, inference_time_seconds: number }).optional(),
});

type Stats = NonNullable<z.infer<typeof fileSchema>['response_stats']>;

/** Bytes; the evaluator's file has a few thousand. */
const maxFileBytes = 8 * 1024 * 1024;

/** Reads the statistics in a task's result folder. `undefined`: there are none, or they can't be read. */
export async function readRequestStats(folder: string, notBeforeMs?: number): Promise<RequestStats | undefined> {
  const file = path.join(folder, 'eval_factory_metrics.json');
  try {
    if ((await stat(file)).size > maxFileBytes) return undefined;
    return requestStats(parsePythonJson(await readFile(file, 'utf8')), notBeforeMs);
  } catch {
    return undefined;
  }
}

/**
 * Interprets the file's content. `notBeforeMs`: when this run's endpoint began to exist; what the evaluator did before then, in an
 * earlier job that wrote to the same folder, doesn't count for `requestSeconds`. Pure.
 */
export function requestStats(content: unknown, notBeforeMs = -Infinity): RequestStats | undefined {
  const parsed = fileSchema.safeParse(content);
  const stats = parsed.data?.response_stats;
  if (!stats) return undefined;
  const { evaluation } = parsed.data ?? {};
  return {
    count: stats.count,
    successful: stats.successful_count,
    statusCodes: stats.status_codes,
    finishReasons: stats.finish_reason,
    promptTokens: amount(stats.avg_prompt_tokens, stats.max_prompt_tokens, stats.successful_count),
    completionTokens: amount(stats.avg_completion_tokens, stats.max_completion_tokens, stats.successful_count),
    latencyMs: amount(stats.avg_latency_ms, stats.max_latency_ms, null),
    requestSeconds: requestSeconds(stats, evaluation?.inference_time_seconds, notBeforeMs),
    runtimeSeconds: evaluation?.runtime_seconds ?? null,
    runs: Math.max(1, Object.keys(stats.inference_run_times).length),
  };
}

function amount(mean: number | null | undefined, max: number | null | undefined, times: number | null): Amount | null {
  if (mean === null || mean === undefined) return null;
  return { mean, max: max ?? mean, total: times === null ? null : Math.round(mean * times) };
}

function requestSeconds(stats: Stats, ofEvaluation: number | null | undefined, notBeforeMs: number): number | null {
  const runs = Object.values(stats.inference_run_times);
  const offset = zoneOffsetMs(stats);
  const own = runs.filter(({ run_start: start }) => offset === null || !start || utc(start) - offset >= notBeforeMs);
  const known = (own.length < runs.length ? own : []).flatMap(({ inference_time: seconds }) => seconds ?? []);
  if (known.length > 0) return known.reduce((sum, seconds) => sum + seconds, 0);
  const seconds = stats.inference_time ?? ofEvaluation ?? null;
  // The evaluator counts from the second request on.
  if (seconds === 0 && stats.count > 0 && typeof stats.avg_latency_ms === 'number') return stats.avg_latency_ms / 1000;
  return seconds;
}

/** The evaluator writes local times without a zone, and one of them as seconds since the epoch, too: the difference is the zone. */
function zoneOffsetMs({ last_request_time: last, inference_run_times: runs }: Stats): number | null {
  if (typeof last !== 'number') return null;
  const ends = Object.values(runs).flatMap(({ last_request_time: end }) => (end ? [utc(end)] : []));
  if (ends.length === 0) return null;
  const quarterHour = 900_000;
  return Math.round((Math.max(...ends) - last * 1000) / quarterHour) * quarterHour;
}

const utc = (text: string): number => Date.parse(/(?:Z|[+-]\d\d:?\d\d)$/.test(text) ? text : `${text}Z`);
