import { bdtr, ndtr, ndtri, stdtr, stdtri } from 'cephes';

/** Distributions, from the cephes library, which SciPy uses too. Pure. */

/** Returns P(|T| ≥ |t|) of Student's t distribution. */
export const tTwoSided = (t: number, degrees: number): number => Math.min(1, 2 * stdtr(degrees, -Math.abs(t)));

/** Returns P(T ≤ t) of Student's t distribution. */
export const tBelow = (t: number, degrees: number): number => stdtr(degrees, t);

/** Returns the t that T stays below with probability `p`. */
export const tQuantile = (p: number, degrees: number): number => stdtri(degrees, p);

/** Returns P(|Z| ≥ |z|) of the standard normal distribution. */
export const normalTwoSided = (z: number): number => Math.min(1, 2 * ndtr(-Math.abs(z)));

/** Returns P(Z ≤ z) of the standard normal distribution. */
export const normalBelow = (z: number): number => ndtr(z);

/** Returns the z that Z stays below with probability `p`. */
export const normalQuantile = (p: number): number => ndtri(p);

/** Returns P(X ≤ k), X the number of heads in `n` throws of a fair coin. */
export const headsAtMost = (k: number, n: number): number => (k < 0 ? 0 : k >= n ? 1 : bdtr(k, n, 0.5));
