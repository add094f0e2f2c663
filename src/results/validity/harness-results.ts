import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { parsePythonJson } from '../requests/python-json';

/** What lm-evaluation-harness says of one of its tasks in `<model>/results_<time>.json`. */
export interface HarnessTask {
  readonly name: string;
  /** `generate_until`, `loglikelihood`, `multiple_choice`, …; `null`: not known. */
  readonly outputType: string | null;
  /** How often each sample is asked. */
  readonly repeats: number | null;
  readonly fewShot: number | null;
  /** Of the task's definition, e.g. `1.0`. */
  readonly version: string | null;
  /** Samples of the data set, and those to be evaluated. */
  readonly samples: { readonly original: number; readonly effective: number } | null;
}

export interface HarnessResults {
  readonly tasks: readonly HarnessTask[];
  /** `null`: the harness does not say. */
  readonly harnessVersion: string | null;
  readonly chatTemplateDigest: string | null;
}

const numbers = z.record(z.string(), z.unknown()).default({}).catch({});

const fileSchema = z.looseObject({
  configs: z
    .record(z.string(), z.looseObject({ output_type: z.unknown().optional(), repeats: z.unknown().optional() }))
    .catch({}),
  versions: numbers,
  'n-shot': numbers,
  'n-samples': z
    .record(z.string(), z.object({ original: z.number(), effective: z.number() }))
    .default({})
    .catch({}),
  lm_eval_version: z.unknown().optional(),
  chat_template_sha: z.unknown().optional(),
});

/** Larger files hold every sample, and are not the summary. Bytes. */
const maxFileBytes = 32 * 1024 * 1024;

/**
 * Reads the files that lm-evaluation-harness wrote into a task's folder; of several, the newest says the most about each task.
 * `undefined`: another harness, or none can be read.
 */
export async function readHarnessResults(folder: string): Promise<HarnessResults | undefined> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => []);
  const files = entries
    .filter((entry) => entry.isFile() && /^results_.*\.json$/.test(entry.name))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((entry) => path.join(entry.parentPath, entry.name));
  const tasks = new Map<string, HarnessTask>();
  let last: HarnessResults | undefined;
  for (const file of files) {
    const read = await readOne(file);
    for (const task of read?.tasks ?? []) tasks.set(task.name, task);
    last = read ?? last;
  }
  return last && { ...last, tasks: [...tasks.values()] };
}

async function readOne(file: string): Promise<HarnessResults | undefined> {
  try {
    if ((await stat(file)).size > maxFileBytes) return undefined;
    return harnessResults(parsePythonJson(await readFile(file, 'utf8')));
  } catch {
    return undefined;
  }
}

/** Interprets the content of such a file. Pure. */
export function harnessResults(content: unknown): HarnessResults | undefined {
  const { data } = fileSchema.safeParse(content);
  if (!data) return undefined;
  const shots = data['n-shot'];
  const samples = data['n-samples'];
  const names = [...new Set([...Object.keys(data.configs), ...Object.keys(samples)])];
  return {
    tasks: names.map((name) => ({
      name,
      outputType: textOf(data.configs[name]?.output_type),
      repeats: numberOf(data.configs[name]?.repeats),
      fewShot: numberOf(shots[name]),
      version: textOf(data.versions[name]),
      samples: samples[name] ?? null,
    })),
    // Packages without metadata name themselves so.
    harnessVersion: /^\d/.test(textOf(data.lm_eval_version) ?? '') ? textOf(data.lm_eval_version) : null,
    chatTemplateDigest: textOf(data.chat_template_sha),
  };
}

const numberOf = (value: unknown): number | null => (typeof value === 'number' ? value : null);
const textOf = (value: unknown): string | null =>
  typeof value === 'string' ? value : typeof value === 'number' ? String(value) : null;
