import path from 'node:path';
import { metricPayload, type MetricPayload } from '../contract/metric';
import { metricsLeftOut, partsOf, type RunSnapshot, type Span, type TaskSnapshot } from '../contract/state';
import { goneResources, type GoneResource } from '../home/removed-resources';
import { mapConcurrently } from '../support/map-concurrently';
import type { HomePaths } from '../home/paths';
import { readablePlan } from '../home/run-store';
import { isInStore } from '../contract/results-place';
import { resultsFolderOf } from './local-results';
import { withAllMetrics } from '../results/scores/all-metrics';
import { readScores } from '../results/scores/read-scores';

/** What changed after a run's end: through `cleanup`, a sweep, or a person. */
export interface ChangesAfterEnd {
  /** Resources that the run had left or kept and that have been removed since. */
  readonly removed: readonly GoneResource[];
  /** Scores that the run itself did not have. */
  readonly scores: readonly SavedScores[];
}

export interface SavedScores extends MetricPayload {
  readonly index: number;
  readonly file: string;
}

/** Files read in parallel. */
const concurrency = 20;

/** Reads what this host knows about a closed run beyond its last snapshot; `undefined`: nothing. */
export async function readChangesAfterEnd(
  snapshot: RunSnapshot,
  home: HomePaths,
): Promise<ChangesAfterEnd | undefined> {
  const { invocation } = snapshot;
  const removed = missed(snapshot, await goneResources(home, invocation));
  const scores = await savedScoresOf(snapshot, home);
  return removed.length + scores.length === 0 ? undefined : { removed, scores };
}

/** Restores what was left out of a snapshot to fit into a history, as far as this host has it: names, folders, all metrics. */
export async function withOmittedParts(snapshot: RunSnapshot, home: HomePaths): Promise<RunSnapshot> {
  const plan = await readablePlan(home, snapshot.invocation);
  if (!plan)
    return { ...snapshot, tasks: await withAllMetrics(snapshot.tasks, ({ outputDir }) => outputDir ?? undefined) };
  const planned = new Map(plan.tasks.map((task) => [task.index, task]));
  const root = await resultsFolderOf(plan);
  const folderOf = ({ index, outputDir }: TaskSnapshot): string | undefined => {
    const folder = planned.get(index)?.folder;
    if (folder === undefined || (outputDir !== null && plan.resultsStore === undefined)) return outputDir ?? undefined;
    return isInStore(root) ? `${root}/${folder}` : path.join(root, folder);
  };
  const tasks = snapshot.tasks.map((task) => ({
    ...task,
    name: planned.get(task.index)?.name ?? task.name,
    outputDir: task.phase === 'done' && task.job !== null ? (folderOf(task) ?? null) : task.outputDir,
  }));
  return { ...snapshot, tasks: await withAllMetrics(tasks, folderOf) };
}

async function savedScoresOf({ invocation, tasks }: RunSnapshot, home: HomePaths): Promise<SavedScores[]> {
  const plan = await readablePlan(home, invocation);
  const without = tasks.filter((task) => Object.keys(task.metrics).length === 0 && (metricsLeftOut(task) ?? 0) === 0);
  if (!plan || without.length === 0) return [];
  const folders = new Map(plan.tasks.map(({ index, folder }) => [index, path.join(plan.outputDir, folder)]));
  const found = await mapConcurrently(without, concurrency, async ({ index }) => {
    const scores = await readScores(folders.get(index) ?? plan.outputDir).catch(() => undefined);
    return scores && { index, file: scores.file, ...metricPayload(scores.metrics) };
  });
  return found.filter((scores) => scores !== undefined);
}

/** Selects the removed resources that the last snapshot still mentions. Pure. */
function missed(snapshot: RunSnapshot, removed: readonly GoneResource[]): GoneResource[] {
  const { left, kept } = snapshot;
  return removed.filter(
    (resource) =>
      left.some((one) => isOf(resource, one)) ||
      (resource.kind === 'storage' && kept.some(({ path: folder }) => isWithin(folder, resource.name))) ||
      partsOf(snapshot).some((task) => openSpan(task, resource) !== undefined),
  );
}

/** Merges the changes into the last snapshot. Pure. */
export function withChangesAfterEnd(snapshot: RunSnapshot, { removed, scores }: ChangesAfterEnd): RunSnapshot {
  const update = <T extends Pick<RunSnapshot, 'left' | 'kept'>>(of: T): T => ({
    ...of,
    left: of.left.filter((one) => !removed.some((resource) => isOf(resource, one))),
    kept: of.kept.filter(
      ({ path: folder }) => !removed.some(({ kind, name }) => kind === 'storage' && isWithin(folder, name)),
    ),
  });
  return update({
    ...snapshot,
    ...(snapshot.shared === undefined
      ? {}
      : { shared: snapshot.shared.map((endpoint) => update(ended(endpoint, removed))) }),
    tasks: snapshot.tasks.map((task) => ({
      ...update(ended(task, removed)),
      ...withScores(scores.find(({ index }) => index === task.index)),
    })),
  });
}

function withScores(scores: SavedScores | undefined): Partial<TaskSnapshot> {
  if (!scores) return {};
  const { metrics, metricDetails = [] } = scores;
  return { metrics, metricDetails, metricsTotal: Object.keys(metrics).length };
}

/** Ends spans that were still open when the task ended once their resource has been removed: its cost stops growing. */
function ended(task: TaskSnapshot, removed: readonly GoneResource[]): TaskSnapshot {
  return removed.reduce((current, resource) => {
    const span = openSpan(current, resource);
    if (span === undefined || !isTimed(resource) || current.usage === undefined) return current;
    return { ...current, usage: { ...current.usage, [resource.kind]: { from: span.from, until: resource.at } } };
  }, task);
}

type TimedResource = GoneResource & { readonly kind: 'endpoint' | 'job' };

/** Whether it costs money as long as it exists. */
const isTimed = (resource: GoneResource): resource is TimedResource =>
  resource.kind === 'endpoint' || resource.kind === 'job';

function openSpan({ usage, endpoint, job }: TaskSnapshot, resource: GoneResource): Span | undefined {
  if (!isTimed(resource) || resource.name !== { endpoint, job }[resource.kind]) return undefined;
  const span = usage?.[resource.kind];
  return span?.until === null ? span : undefined;
}

type Named = Pick<GoneResource, 'kind' | 'name'>;

/** A task's folder is removed with the run's. */
const isOf = (resource: Named, left: Named): boolean =>
  resource.kind === left.kind &&
  (resource.kind === 'storage' ? isWithin(left.name, resource.name) : resource.name === left.name);

const isWithin = (folder: string, parent: string): boolean => folder === parent || folder.startsWith(`${parent}/`);
