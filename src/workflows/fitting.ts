import { firstMetrics, metricPayload, metricsOf } from '../contract/metric';
import { pack } from '../contract/packed';
import type { SentSnapshot, SentTasks } from '../contract/sent-snapshot';
import type { LeftResource, RunSnapshot, TaskSnapshot } from '../contract/state';

/** Packs and, if that is not enough, shortens a run's snapshot to fit one payload, which Temporal limits to 2 MiB. Pure. */

/** Limit on the snapshot's JSON, bytes; leaves room for the rest of the payload. */
export const maxSnapshotBytes = 1_500_000;

/** Larger snapshots are packed, bytes of JSON. */
const maxPlainBytes = 60_000;

/** By what factor packing makes a snapshot smaller, at most. */
const mostGain = 4;

/**
 * How much of each task is kept, tried in order: number of entries in `metrics`, characters per text, and whether URL and folder stay. The
 * local results hold everything; outcomes are never dropped.
 */
const levels = [
  { metrics: 100, text: 500, places: true },
  { metrics: 25, text: 200, places: true },
  { metrics: 6, text: 100, places: true },
  { metrics: 2, text: 40, places: true },
  { metrics: 0, text: 20, places: true },
  { metrics: 0, text: 20, places: false },
] as const;

type Level = (typeof levels)[number];

/** Returns the snapshot as it is if it is small, else packed, in the longest version that fits. */
export function fitRun(snapshot: RunSnapshot, maxBytes = maxSnapshotBytes): SentSnapshot {
  if (jsonBytes(snapshot) <= Math.min(maxBytes, maxPlainBytes)) return snapshot;
  for (const level of [undefined, ...levels]) {
    const version = level === undefined ? snapshot : shortened(snapshot, level);
    // Packing what can't fit anyway would take too long.
    if (jsonBytes(version) > maxBytes * mostGain) continue;
    const sent = packed(version);
    if (jsonBytes(sent) <= maxBytes) return sent;
  }
  return { ...snapshot, tasks: [], left: [], kept: [] };
}

/** Does the same with the tasks of a batch. */
export function fitTasks(tasks: readonly TaskSnapshot[], maxBytes = maxSnapshotBytes): SentTasks {
  if (tasks.length === 0) return { tasks };
  for (const level of [undefined, ...levels]) {
    const version = level === undefined ? tasks : tasks.map((task) => shortenTask(task, level));
    if (jsonBytes(version) > maxBytes * mostGain) continue;
    const sent = { tasks: [], packed: pack(version) };
    if (jsonBytes(sent) <= maxBytes) return sent;
  }
  return { tasks: [] };
}

const packed = (run: RunSnapshot): SentSnapshot =>
  run.tasks.length === 0 ? run : { ...run, tasks: [], packed: pack(run.tasks) };

function shortened(run: RunSnapshot, level: Level): RunSnapshot {
  const tasks = run.tasks.map((task) => shortenTask(task, level));
  // The run's lists also hold entries that belong to no task.
  const left = run.left.map((resource) => ({ ...resource, reason: cut(resource.reason, level.text) }));
  const kept = run.kept.map((storage) => ({ ...storage, reason: cut(storage.reason, level.text) }));
  return { ...run, tasks, left, kept };
}

function shortenTask(task: TaskSnapshot, { metrics, text, places }: Level): TaskSnapshot {
  return {
    ...task,
    ...(places ? {} : { endpointUrl: null, outputDir: null }),
    name: cut(task.name, Math.max(text, 40)),
    message: task.message === null ? null : cut(task.message, text),
    error: task.error === null ? null : { ...task.error, message: cut(task.error.message, text) },
    ...withFirstMetrics(task, metrics),
    left: task.left.map((resource) => ({ ...resource, reason: cut(resource.reason, text) })),
    kept: task.kept.map((storage) => ({ ...storage, reason: cut(storage.reason, text) })),
  };
}

/** Keeps the first metrics and their total number, so that a reader knows that some are missing. */
function withFirstMetrics(task: TaskSnapshot, entries: number): Partial<TaskSnapshot> {
  const total = Object.keys(task.metrics).length;
  if (total <= entries) return {};
  return { ...metricPayload(firstMetrics(metricsOf(task), entries)), metricsTotal: task.metricsTotal ?? total };
}

/** Describes the first 20 resources left behind, with reasons, for a failure message. */
export function leftText(left: readonly LeftResource[]): string {
  const shown = left.slice(0, 20).map(({ kind, name, reason }) => `${kind} ${name} (${cut(reason, 300)})`);
  return `${shown.join('; ')}${left.length > shown.length ? ` and ${left.length - shown.length} more` : ''}`;
}

export const cut = (text: string, characters: number): string =>
  text.length <= characters ? text : `${text.slice(0, characters - 1)}…`;

/** Returns the UTF-8 size of the value's JSON, bytes; the workflow sandbox has no Buffer. */
export function jsonBytes(value: unknown): number {
  const text = JSON.stringify(value);
  let bytes = text.length;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit > 0x7ff) bytes += 2;
    else if (unit > 0x7f) bytes += 1;
  }
  return bytes;
}
