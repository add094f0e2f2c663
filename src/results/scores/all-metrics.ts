import path from 'node:path';
import { metricPayload } from '../../contract/metric';
import { metricsLeftOut, type TaskSnapshot } from '../../contract/state';
import { mapConcurrently } from '../../support/map-concurrently';
import { readScores } from './read-scores';

/** Files read at once. */
const concurrency = 20;

/**
 * The tasks with all their metrics, where a history holds the first ones only and `folderOf` names the folder with the
 * task's results. What is not on this machine, or can't be read, stays as it is, and says how much is missing; so does what is not begun
 * within `withinMs`.
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
    if (!scores) return task;
    const payload = metricPayload(scores.metrics);
    return { ...task, ...payload, metricsTotal: Object.keys(payload.metrics).length };
  });
}

/** Records of older versions don't say how many there are. */
function mayBeShortened(task: TaskSnapshot): boolean {
  const leftOut = metricsLeftOut(task);
  return leftOut === undefined ? Object.keys(task.metrics).length > 0 : leftOut > 0;
}
