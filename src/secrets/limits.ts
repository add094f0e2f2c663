/** Limits of masking, the same in all places. The README states them. */

/**
 * Length of the shortest secret that is masked in logs, files and messages, characters. Shorter ones are common words or numbers:
 * masking them would garble the text and protect nothing.
 */
export const shortestMasked = 8;

/** Bytes that a compressed file may unpack to. A larger one, probably a zip bomb, is replaced by a note. */
export const mostUnpacked = 4 * 1024 ** 3;

/** Entries that an archive may have. One with more is replaced by a note. */
export const mostEntries = 100_000;

export interface ArchiveLimits {
  readonly mostUnpacked: number;
  readonly mostEntries: number;
}

export const archiveLimits: ArchiveLimits = { mostUnpacked, mostEntries };
