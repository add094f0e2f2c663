import { readHarnessSummary, type HarnessSummary } from '../samples/harness-summary';
import { harnessFiles } from '../samples/sample-files';

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

/** Larger files hold every sample, and are not the summary. Bytes. */
const maxFileBytes = 32 * 1024 * 1024;

/**
 * Reads the files that lm-evaluation-harness wrote into a task's folder; of several, the newest says the most about each task.
 * `undefined`: another harness, or none can be read.
 */
export async function readHarnessResults(folder: string): Promise<HarnessResults | undefined> {
  const { summaries } = await harnessFiles(folder);
  const tasks = new Map<string, HarnessTask>();
  let last: HarnessResults | undefined;
  for (const file of summaries) {
    const read = await readHarnessSummary(file, { maxBytes: maxFileBytes }).catch(() => undefined);
    if (read?.kind !== 'read') continue;
    last = harnessResults(read.summary);
    for (const task of last.tasks) tasks.set(task.name, task);
  }
  return last && { ...last, tasks: [...tasks.values()] };
}

function harnessResults(data: HarnessSummary): HarnessResults {
  const shots = data['n-shot'];
  const samples = data['n-samples'];
  const names = [...new Set([...Object.keys(data.configs), ...Object.keys(samples)])];
  return {
    tasks: names.map((name) => ({
      name,
      outputType: textOf(data.configs[name]?.['output_type']),
      repeats: numberOf(data.configs[name]?.['repeats']),
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
