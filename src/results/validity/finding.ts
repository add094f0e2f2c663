import { z } from 'zod';

/** Something that silently spoils scores, or makes them incomparable, found in what a task's job left behind. */
export interface Finding {
  readonly kind: FindingKind;
  /** Position of the task in the run. */
  readonly index: number;
  readonly task: string;
  /** How many requests, answers or samples it concerns; `null`: it concerns the task as a whole. */
  readonly count: number | null;
  /** Of how many; `null`: not known. */
  readonly of: number | null;
  /** What was seen. */
  readonly message: string;
  /** What to do about it. */
  readonly advice: string;
}

export const findingKinds = [
  /** Requests that were not answered with a success. */
  'failed-requests',
  /** Answers that ended at the token limit. */
  'truncated-answers',
  /** Prompts that were cut because they did not fit the model's context. */
  'truncated-prompts',
  'empty-answers',
  /** Answers that came from a cache instead of the model. */
  'cached-answers',
  /** Fewer samples than asked for. */
  'missing-samples',
  /** Scores that are not numbers. */
  'not-a-number',
  /** The server answered in the name of another model than the one asked for. */
  'other-model',
  /** The harness is not the one of the catalogue. */
  'other-harness',
  /** The harness did something else than what was asked for, e.g. used other examples or another tokenizer. */
  'fallback',
  /** The endpoint was away, e.g. because it restarted, while the job ran. */
  'endpoint-restarted',
  /** Something could not be checked. */
  'unchecked',
] as const;

export type FindingKind = (typeof findingKinds)[number];

export const findingSchema: z.ZodType<Finding> = z.object({
  kind: z.enum(findingKinds),
  index: z.number(),
  task: z.string(),
  count: z.number().nullable(),
  of: z.number().nullable(),
  message: z.string(),
  advice: z.string(),
});
