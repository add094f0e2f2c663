import type { Direction, Evidence, RunUsage, TaskUsage } from './evidence/evidence';
import type { CompareOptions, DifferenceKind } from './options';

/** What `compare` finds out: the document that `--format json` prints. */

/** `can't tell`: not comparable, incomplete, or too few samples. */
export type Verdict = 'no regression' | 'regression' | "can't tell";

/** Increased by changes that readers would misunderstand, not by added keys. */
export const comparisonVersion = 1;

export interface Comparison {
  readonly version: typeof comparisonVersion;
  readonly verdict: Verdict;
  /** Why, in one sentence each. */
  readonly reasons: readonly string[];
  readonly base: SideDocument;
  readonly candidate: SideDocument;
  readonly options: CompareOptions;
  readonly tasks: readonly TaskComparison[];
  /** Over the tasks together; `null`: fewer than two have paired scores between 0 and 1. */
  readonly pooled: PooledComparison | null;
  readonly onlyInBase: readonly string[];
  readonly onlyInCandidate: readonly string[];
}

export interface SideDocument extends Pick<Evidence, 'label' | 'kind' | 'folder' | 'model' | 'invocation' | 'notes'> {
  readonly usage: RunUsage;
}

export interface TaskComparison {
  readonly name: string;
  readonly verdict: Verdict;
  readonly differences: readonly Difference[];
  /** Why too little was evaluated for any verdict but "regression"; `null`: it wasn't, or that is accepted. */
  readonly incomplete: string | null;
  /** One entry per score of the task as a whole and of its parts. */
  readonly scores: readonly ScoreComparison[];
  readonly samples: readonly SampleComparison[];
  readonly usage: { readonly base: TaskUsage; readonly candidate: TaskUsage };
  readonly notes: readonly string[];
}

/** Something other than the model that the two sides don't share. */
export interface Difference {
  readonly kind: DifferenceKind;
  readonly name: string;
  readonly base: string;
  readonly candidate: string;
  /** Tasks of the harness that it concerns; empty: all. */
  readonly of: readonly string[];
  /** `refuses`: the scores are not those of one test, so no verdict is given; `warns`: they may not be; `notes`: expected. */
  readonly effect: 'refuses' | 'warns' | 'notes';
  /** It would refuse, but was named in `accept`. */
  readonly accepted: boolean;
}

/** The samples of one task of the harness. */
export interface SampleComparison {
  readonly path: readonly string[];
  readonly paired: number;
  readonly onlyBase: number;
  readonly onlyCandidate: number;
  readonly byNumber: number;
  readonly otherTarget: number;
  readonly otherPrompt: number | null;
  /** Lines that could not be read. */
  readonly damaged: { readonly base: number; readonly candidate: number };
}

export interface ScoreComparison {
  readonly path: readonly string[];
  /** Only scores of a task as a whole count for its verdict. */
  readonly level: 'overall' | 'part';
  readonly metric: string;
  readonly filter: string | null;
  readonly better: Direction;
  /** Nothing says which way is better: it was guessed from the metric's name. */
  readonly betterGuessed: boolean;
  /** As reported, over all samples of that side. */
  readonly base: ReportedScore;
  readonly candidate: ReportedScore;
  /** `difference only`: neither samples nor standard errors; `none`: a score is missing. */
  readonly method: 'paired' | 'unpaired' | 'difference only' | 'none';
  readonly test: 'mcnemar' | 'sign-flip' | 'clustered t' | 'z' | null;
  /** Pairs. */
  readonly n: number | null;
  /** Candidate less base, of the pairs where there are any. */
  readonly delta: number | null;
  readonly stderr: number | null;
  readonly interval: readonly [low: number, high: number] | null;
  /** Two-sided. */
  readonly p: number | null;
  /** One-sided: of a score at least as much worse, if nothing has changed. */
  readonly pWorse: number | null;
  /** `p` after Holm's correction over all scores that count for the verdict, or over the parts of the task. */
  readonly pAdjusted: number | null;
  /** Samples that became better, worse, or stayed the same. */
  readonly wins: number | null;
  readonly losses: number | null;
  readonly ties: number | null;
  /** What samples were clustered by. */
  readonly clusters: { readonly by: string; readonly count: number } | null;
  /** Smallest true difference that would have been seen four times out of five. */
  readonly detectable: number | null;
  readonly change: 'better' | 'worse' | 'not significant' | 'unknown';
  /** `null` for parts. */
  readonly verdict: Verdict | null;
  readonly notes: readonly string[];
  /** Parts or clusters that became worse, worst first. */
  readonly worst: readonly { readonly name: string; readonly n: number; readonly delta: number }[];
  /** Absent unless asked for. */
  readonly flips?: readonly Flip[];
}

export interface ReportedScore {
  readonly value: number | null;
  readonly stderr: number | null;
  readonly count: number | null;
}

export interface Flip {
  readonly task: string;
  /** The sample's number in the data set. */
  readonly id: string | null;
  readonly base: number;
  readonly candidate: number;
  readonly prompt: string | null;
  readonly target: string | null;
  readonly baseAnswer: string | null;
  readonly candidateAnswer: string | null;
}

export interface PooledComparison {
  /** The scores that are pooled: the first of each task. */
  readonly scores: readonly string[];
  readonly n: number;
  /** Mean over all samples, better is positive. */
  readonly delta: number;
  readonly stderr: number;
  readonly interval: readonly [low: number, high: number];
  readonly test: 'mcnemar' | 'z';
  readonly p: number;
  readonly pAdjusted: number | null;
  readonly wins: number;
  readonly losses: number;
  readonly ties: number;
  readonly detectable: number | null;
  /** Mean over the tasks, each with the same weight. */
  readonly byTask: { readonly delta: number; readonly interval: readonly [low: number, high: number] };
  readonly change: ScoreComparison['change'];
}
