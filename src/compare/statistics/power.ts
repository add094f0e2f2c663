import { normalQuantile } from './distributions';

/** What a comparison could have seen. Pure. */

const power = 0.8;

/**
 * Returns the smallest true difference that a two-sided test at `alpha` with this standard error finds four times out of five, on
 * the scale of the score. `null`: no sample changed, so the standard error says nothing.
 */
export const detectableDifference = (stderr: number | null, alpha: number): number | null =>
  stderr === null || stderr === 0 ? null : (normalQuantile(1 - alpha / 2) + normalQuantile(power)) * stderr;

/** Returns the share of samples that may change although none of `n` did, with this confidence (the "rule of three"). */
export const unseenShare = (n: number, confidence: number): number => 1 - (1 - confidence) ** (1 / n);
