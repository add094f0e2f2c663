import path from 'node:path';
import { metricPayload } from '../../contract/metric';
import { metricsLeftOut, type TaskSnapshot } from '../../contract/state';
import { mapConcurrently } from '../../support/map-concurrently';
import { readScores } from './read-scores';

/** Files read at once. */
const concurrency = 20;

/**
 * Completes the metrics of tasks of which a history holds only the first ones, from the `results.yml` in the folder that `folderOf`
 * names. Tasks whose file is not on this machine, can't be read, is not the one that the job wrote (`resultsDigest`), or is not
 * reached within `withinMs` stay as they are; `metricsTotal` then says how many are missing.
 */
export async function withAllMetrics(
  tasks: readonly TaskSnapshot[],
  folderOf: (task: TaskSnapshot) => string | undefined,
  withinMs = Infinity,
): Promise<readonly TaskSnapshot[]> {
  const deadline = Date.now() + withinMs;
  return mapConcurrently(tasks, concurrency, async (task) => {
    const folder = folderOf(task);
    if (folder === undefined || !mayBeShortened(task) || Date.now() > deadline) return task;
    const scores = await readScores(path.resolve(folder)).catch(() => undefined);
    if (!scores || (task.resultsDigest ?? scores.digest) !== scores.digest) return task;
    const payload = metricPayload(scores.metrics);
    return { ...task, ...payload, metricsTotal: Object.keys(payload.metrics).length };
  });
}

/** Whether there may be more metrics than a snapshot holds. Records of older versions don't say how many there are. Pure. */
export function mayBeShortened(task: TaskSnapshot): boolean {
  const leftOut = metricsLeftOut(task);
  return leftOut === undefined ? Object.keys(task.metrics).length > 0 : leftOut > 0;
}
