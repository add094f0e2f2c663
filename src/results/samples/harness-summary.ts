import { readFile, stat } from 'node:fs/promises';
import { z } from 'zod';
import { parsePythonJson } from '../requests/python-json';
import type { HarnessFile } from './sample-files';

/** `results_<time>.json` of lm-evaluation-harness: scores, and how they came about. Keys of other versions may be missing. */

const record = z.record(z.string(), z.unknown());
const byTask = record.catch({});

const summarySchema = z.looseObject({
  /** Task → `metric,filter` → value; also `alias`, and standard errors as `metric_stderr,filter`. */
  results: z.record(z.string(), record),
  groups: z.record(z.string(), record).catch({}),
  /** Group → tasks and groups in it; a task has an empty list. */
  group_subtasks: z.record(z.string(), z.array(z.string())).catch({}),
  versions: byTask,
  'n-shot': byTask,
  'n-samples': z.record(z.string(), z.object({ original: z.number(), effective: z.number() })).catch({}),
  /** Task → metric → whether more is better. */
  higher_is_better: z.record(z.string(), record).catch({}),
  /** Task → its definition. */
  configs: z.record(z.string(), record).catch({}),
  config: byTask,
  model_name: z.string().nullish().catch(null),
  lm_eval_version: z.string().nullish().catch(null),
  git_hash: z.string().nullish().catch(null),
  system_instruction_sha: z.string().nullish().catch(null),
  chat_template_sha: z.string().nullish().catch(null),
  fewshot_as_multiturn: z.unknown().optional(),
  total_evaluation_time_seconds: z.coerce.number().nullish().catch(null),
});

export type HarnessSummary = z.infer<typeof summarySchema>;

export type ReadSummary =
  | { readonly kind: 'read'; readonly file: string; readonly summary: HarnessSummary }
  /** `reason` names the file. */
  | { readonly kind: 'unreadable'; readonly file: string; readonly reason: string };

/** Bytes; a larger file would hold the samples too. */
const maxFileBytes = 256 * 1024 * 1024;

/** Reads a summary of at most `maxBytes`. Rejects only with errors of the file system. */
export async function readHarnessSummary(
  { file }: Pick<HarnessFile, 'file'>,
  { maxBytes = maxFileBytes }: { readonly maxBytes?: number } = {},
): Promise<ReadSummary> {
  const unreadable = (reason: string): ReadSummary => ({ kind: 'unreadable', file, reason: `${file} ${reason}` });
  if ((await stat(file)).size > maxBytes) return unreadable(`has more than ${maxBytes} bytes`);
  try {
    const parsed = summarySchema.safeParse(parsePythonJson(await readFile(file, 'utf8')));
    if (parsed.success) return { kind: 'read', file, summary: parsed.data };
    return unreadable('has no section "results" of scores by task');
  } catch (error) {
    if (error instanceof SyntaxError) return unreadable('is not JSON, or cut');
    throw error;
  }
}
