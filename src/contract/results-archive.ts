/**
 * One file with everything a job has written, beside its results in storage. The job's script makes it when the evaluation has succeeded, so
 * that the results take one request instead of one per file. It belongs to the way of the results and is none of them: it is never
 * shown, and goes with the storage.
 */

/** Its name in the task's folder. */
export const resultsArchive = '.evalsaga_results.zip';

/** Name of the list of its contents, inside. */
export const archiveManifest = 'manifest.json';

/** Bytes that it may hold, unpacked: packing takes time in which the endpoint is still there. The largest files are left out first. */
export const maxPackedBytes = 64 * 1024 * 1024;

/** Files that it may hold. */
export const maxPackedFiles = 20_000;

/** What the script may leave in the task's folder for the archive's sake. A job that is killed leaves an unfinished one. */
export const archiveNames: ReadonlySet<string> = new Set([resultsArchive, `${resultsArchive}.part`]);
