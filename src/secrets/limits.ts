/** Limits of masking, the same wherever secrets are masked. The README states them. */

/**
 * Characters of the shortest secret that is looked for in logs, files and messages. Anything shorter is an everyday word or
 * number: masking it would garble the text and protect nothing.
 */
export const shortestMasked = 8;

/** Bytes that a compressed file may unpack to. A larger one (a bomb, most likely) is replaced by a note. */
export const mostUnpacked = 4 * 1024 ** 3;

/** Entries of an archive. One with more is replaced by a note. */
export const mostEntries = 100_000;

export interface ArchiveLimits {
  readonly mostUnpacked: number;
  readonly mostEntries: number;
}

export const archiveLimits: ArchiveLimits = { mostUnpacked, mostEntries };
