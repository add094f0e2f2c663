import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { parsePythonJson } from '../requests/python-json';
import { readRequestStats, type RequestStats } from '../requests/request-stats';
import { readTokenDistributions, type TokenDistributions } from '../requests/token-counts';
import { readNotes } from '../scores/notes';
import { readHarnessResults, type HarnessResults } from './harness-results';
import { readJobLog, type LogFacts } from './job-log';
import { readSampleFacts, type SampleFacts } from './sample-files';

/** What a task's result folder says besides its scores. */
export interface Evidence {
  readonly requests: RequestStats | undefined;
  /** Absent: nothing is known of single requests. */
  readonly tokens?: TokenDistributions | undefined;
  readonly harness: HarnessResults | undefined;
  readonly samples: SampleFacts;
  readonly log: LogFacts | undefined;
  /** What was asked for; empty where the evaluator wrote no `run_config.yml`. */
  readonly asked: Asked;
  /** Names of models in whose name the server answered, of the answers that the evaluator keeps as examples. */
  readonly models: readonly string[];
  /** Of the job about its own results. */
  readonly notes: readonly string[];
}

export interface Asked {
  readonly model?: string;
  /** A number per data set, or a fraction below 1. */
  readonly limit?: number;
  readonly fewShot?: number;
  /** How often each sample is asked. */
  readonly repeats?: number;
  /** Tokens that an answer may have. */
  readonly maxTokens?: number;
}

export interface ReadingTime {
  /** Milliseconds since the epoch; what isn't read by then counts as not checked. */
  readonly deadline: number;
}

/** Bytes of per-sample files that are read of one task. */
const maxSampleBytes = 512 * 1024 * 1024;
/** Bytes of each other file. */
const maxFileBytes = 32 * 1024 * 1024;

/** Reads a task's folder. Files that are missing or damaged are as if there were none. `notBeforeMs`: see `requestStats`. */
export async function readEvidence(
  folder: string,
  { deadline, notBeforeMs }: ReadingTime & { readonly notBeforeMs?: number | undefined },
): Promise<Evidence> {
  const [requests, tokens, harness, samples, log, asked, models, notes] = await Promise.all([
    readRequestStats(folder, notBeforeMs),
    readTokenDistributions(folder),
    readHarnessResults(folder),
    readSampleFacts(folder, { maxBytes: maxSampleBytes, deadline }),
    readJobLog(path.join(folder, 'logs', 'job.log'), deadline),
    readAsked(folder),
    readModels(folder),
    readNotes(folder).catch(() => []),
  ]);
  return { requests, tokens, harness, samples, log, asked, models, notes };
}

const number = z.coerce.number().positive().optional().catch(undefined);
const count = z.coerce.number().nonnegative().optional().catch(undefined);

const configSchema = z.looseObject({
  config: z.looseObject({
    params: z.looseObject({
      limit_samples: number,
      max_new_tokens: number,
      extra: z.looseObject({ num_fewshot: count, n_samples: number, num_repeats: number }).optional().catch(undefined),
    }),
  }),
  target: z
    .looseObject({ api_endpoint: z.looseObject({ model_id: z.string() }) })
    .optional()
    .catch(undefined),
});

async function readAsked(folder: string): Promise<Asked> {
  const text = await readSmall(path.join(folder, 'run_config.yml'));
  if (text === undefined) return {};
  try {
    return askedIn(parseYaml(text, { logLevel: 'error' }));
  } catch {
    return {};
  }
}

/** Interprets a run config as the evaluator completed it. Pure. */
export function askedIn(content: unknown): Asked {
  const { data } = configSchema.safeParse(content);
  if (!data) return {};
  const { limit_samples: limit, max_new_tokens: maxTokens, extra } = data.config.params;
  const repeats = extra?.n_samples ?? extra?.num_repeats;
  const model = data.target?.api_endpoint.model_id;
  return {
    ...(model === undefined ? {} : { model }),
    ...(limit === undefined ? {} : { limit }),
    ...(extra?.num_fewshot === undefined ? {} : { fewShot: extra.num_fewshot }),
    ...(repeats === undefined ? {} : { repeats }),
    ...(maxTokens === undefined ? {} : { maxTokens }),
  };
}

const reportSchema = z.array(
  z.looseObject({ response: z.looseObject({ model: z.string() }).optional().catch(undefined) }),
);

/** The evaluator's `report.json` has its first few requests and answers. */
async function readModels(folder: string): Promise<readonly string[]> {
  const text = await readSmall(path.join(folder, 'report.json'));
  try {
    const parsed = reportSchema.safeParse(text === undefined ? undefined : parsePythonJson(text));
    return [...new Set((parsed.data ?? []).flatMap(({ response }) => response?.model ?? []))];
  } catch {
    return [];
  }
}

async function readSmall(file: string): Promise<string | undefined> {
  try {
    return (await stat(file)).size > maxFileBytes ? undefined : await readFile(file, 'utf8');
  } catch {
    return undefined;
  }
}
