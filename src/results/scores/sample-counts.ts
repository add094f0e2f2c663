import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';

/** How many rows a harness task has, and how many of them were evaluated. */
export interface SampleCount {
  readonly original: number;
  readonly effective: number;
}

const fileSchema = z.looseObject({
  'n-samples': z.record(z.string(), z.object({ original: z.number(), effective: z.number() })),
});

/** Larger files hold every sample, and are not the summary. Bytes. */
const maxFileBytes = 32 * 1024 * 1024;

/**
 * Returns the sample counts by harness task that lm-evaluation-harness wrote into a task's result folder
 * (`<model>/results_<time>.json`, key `n-samples`); the newest file wins. Empty for other harnesses.
 */
export async function readSampleCounts(folder: string): Promise<Readonly<Record<string, SampleCount>>> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => []);
  const files = entries
    .filter((entry) => entry.isFile() && /^results_.*\.json$/.test(entry.name))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((entry) => path.join(entry.parentPath, entry.name));
  const counts: Record<string, SampleCount> = {};
  for (const file of files) Object.assign(counts, await readCounts(file));
  return counts;
}

async function readCounts(file: string): Promise<Readonly<Record<string, SampleCount>>> {
  if ((await stat(file)).size > maxFileBytes) return {};
  try {
    // Python writes NaN and Infinity, which JSON.parse rejects; no count has such a value.
    const text = (await readFile(file, 'utf8')).replace(/(?<=[:[,]\s*)(?:NaN|-?Infinity)(?=\s*[,}\]])/g, 'null');
    const parsed = fileSchema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data['n-samples'] : {};
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}
