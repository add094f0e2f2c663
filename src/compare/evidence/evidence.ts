/** What one side of a comparison has to show, from whichever tool's files. */

export interface Evidence {
  /** As the user named it. */
  readonly label: string;
  readonly kind: 'evalsaga' | 'lm-eval' | 'nel';
  /** Absolute. */
  readonly folder: string;
  readonly model: string | null;
  /** Of an evalsaga run. */
  readonly invocation: string | null;
  readonly tasks: readonly TaskEvidence[];
  /** Of the run as a whole: the tasks run at the same time, so it is not their sum. */
  readonly usage: RunUsage;
  /** What could not be read, or was left out. */
  readonly notes: readonly string[];
}

export interface TaskEvidence {
  /** The task's name in the run's config, in lm-evaluation-harness, or the benchmark's in `nel`. */
  readonly name: string;
  /** In an evalsaga run. */
  readonly index: number | null;
  /** Why its scores can't be trusted to be whole, e.g. that the job was interrupted; `null`: nothing says so. */
  readonly incomplete: string | null;
  readonly scores: readonly ScoreEvidence[];
  readonly items: readonly ItemSource[];
  readonly settings: readonly Setting[];
  readonly usage: TaskUsage;
  readonly notes: readonly string[];
}

export type Direction = 'higher' | 'lower';

export interface ScoreEvidence {
  /** The harness' groups, outermost first, then the own task or group. */
  readonly path: readonly string[];
  /** The score of a task as a whole, or of a part of it, such as one subject of MMLU. */
  readonly level: 'overall' | 'part';
  readonly metric: string;
  /** How answers were extracted; `null`: in the only way there is. */
  readonly filter: string | null;
  /** `null`: not computed (NaN). */
  readonly value: number | null;
  readonly stderr: number | null;
  /** Samples; `null`: not known. */
  readonly count: number | null;
  /** Which way is better; `null`: nothing says so. */
  readonly better: Direction | null;
}

/** Per-sample records of one task of the harness. */
export interface ItemSource {
  /** As in `ScoreEvidence`. */
  readonly path: readonly string[];
  readonly file: string;
  /** How many samples the summary says were evaluated; `null`: it doesn't say. */
  readonly expected: number | null;
  /** Whether a score is the mean of its items by definition; otherwise that is checked before they are compared. */
  readonly isMean: boolean;
  /** Reads them as a stream, in the order of the file. */
  read(): AsyncIterable<Item | DamagedItem>;
}

/** One measurement of one sample. Repeats of a sample, and other filters, are items of their own. */
export interface Item {
  readonly kind: 'item';
  /** In its file, from 1. */
  readonly line: number;
  /** Hash of the sample's content; `null`: none is logged. */
  readonly hash: string | null;
  readonly id: string | null;
  readonly filter: string | null;
  /** Hashes of the prompt and the target; `null`: none is logged. */
  readonly prompt: string | null;
  readonly target: string | null;
  /** Metric → number, or several of them, such as one per instruction. Other values are left out. */
  readonly values: Readonly<Record<string, number | readonly number[]>>;
  /** What the sample is about, by the file itself. */
  readonly category: string | null;
  /** For clusters by a field of the sample, and for showing it. */
  readonly content: Readonly<Record<string, unknown>>;
}

export interface DamagedItem {
  readonly kind: 'damaged';
  readonly line: number;
  readonly reason: string;
}

/** One fact about how a score came about. */
export interface Setting {
  readonly kind: SettingKind;
  /** What of that kind, e.g. `temperature`. */
  readonly name: string;
  readonly value: string;
  /** The harness' task that it belongs to; `null`: the whole task. */
  readonly of: string | null;
}

export const settingKinds = [
  'task-version',
  'few-shot',
  'generation',
  'limit',
  'prompt-format',
  'endpoint-type',
  'image',
  'harness',
  'seed',
  'model',
] as const;

export type SettingKind = (typeof settingKinds)[number];

/** What a task took; `null`: not known. */
export interface TaskUsage {
  readonly endpointSeconds: number | null;
  readonly jobSeconds: number | null;
  /** From the first request to the last. */
  readonly inferenceSeconds: number | null;
  readonly requests: number | null;
  readonly promptTokens: number | null;
  readonly completionTokens: number | null;
  readonly meanLatencyMs: number | null;
}

export interface RunUsage {
  readonly seconds: number | null;
  /** Only of runs with a budget. */
  readonly cost: { readonly amount: number; readonly currency: string } | null;
}

export const unknownUsage: TaskUsage = {
  endpointSeconds: null,
  jobSeconds: null,
  inferenceSeconds: null,
  requests: null,
  promptTokens: null,
  completionTokens: null,
  meanLatencyMs: null,
};

/** Returns the name by which the scores of two runs are matched, e.g. `exact_match__strict-match`. Pure. */
export const metricKey = ({ metric, filter }: Pick<ScoreEvidence, 'metric' | 'filter'>): string =>
  filter === null ? metric : `${metric}__${filter}`;
