import type { SettingKind } from './evidence/evidence';

/** A difference between two runs, by which they may not be comparable. */
export type DifferenceKind = SettingKind | 'samples' | 'prompts' | 'incomplete';

export interface CompareOptions {
  /** Chance of calling an accident a change, over all tasks together. 1 − `alpha` is the confidence of intervals. Default 0.05. */
  readonly alpha?: number;
  /**
   * How much worse a score may be, on its own scale. With it "no regression" must be shown: the interval has to end before it.
   * Default: none; then "no regression" means that none is seen.
   */
  readonly maxDrop?: number;
  /** Only these metrics, with or without their filter: `acc_norm`, `exact_match__strict-match`. Default: all. */
  readonly metrics?: readonly string[];
  /** Metrics of which less is better, where the harness doesn't say so. */
  readonly lowerIsBetter?: readonly string[];
  /** Field of the samples that says which belong together, e.g. `doc.subject`. */
  readonly cluster?: string;
  /** Kinds of differences that are meant to be there, and don't make runs incomparable. */
  readonly accept?: readonly DifferenceKind[];
  /** For permutation tests. Default 1. */
  readonly seed?: number;
  /** Samples that changed, shown per score. Default 0. */
  readonly flips?: number;
}

export type Settled = Required<Omit<CompareOptions, 'maxDrop' | 'cluster'>> &
  Pick<CompareOptions, 'maxDrop' | 'cluster'>;

const usualAlpha = 0.05;

/** Returns the confidence of all intervals of a comparison, e.g. 0.95. Pure. */
export const confidenceOf = ({ alpha = usualAlpha }: Pick<CompareOptions, 'alpha'>): number =>
  Number((1 - alpha).toPrecision(12));

export const settled = (options: CompareOptions): Settled => ({
  alpha: usualAlpha,
  metrics: [],
  lowerIsBetter: [],
  accept: [],
  seed: 1,
  flips: 0,
  ...options,
});
