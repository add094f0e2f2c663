import { isJobProgress } from './job-progress';
import type { TaskNews, TaskPhase, TaskSnapshot, Usage } from './state';

/** Progress of tasks as their activities tell it. Pure. */

const order: readonly TaskPhase[] = [
  'pending',
  'creating endpoint',
  'awaiting ready',
  'ready',
  'submitting job',
  'running job',
  'fetching results',
  'tearing down',
  'done',
];

const isLater = (phase: TaskPhase, than: TaskPhase): boolean => order.indexOf(phase) > order.indexOf(than);

/** Whether an endpoint was Ready in this phase of a task that did not fail before. */
export const isPastReady = (phase: TaskPhase): boolean => order.indexOf(phase) >= order.indexOf('ready');

/** Whether a value from outside can be taken for news. */
export const isTaskNews = (value: unknown): value is TaskNews =>
  typeof value === 'object' && value !== null && typeof (value as Partial<TaskNews>).index === 'number';

/**
 * Returns the snapshot after the news. A phase never goes back: news of different activities may overtake each other. Words about an
 * earlier phase than the present one are dropped.
 */
export function withNews(task: TaskSnapshot, news: TaskNews): TaskSnapshot {
  const isNext = news.phase !== undefined && isLater(news.phase, task.phase);
  const isLate = news.phase !== undefined && isLater(task.phase, news.phase);
  const message = isLate ? task.message : (news.message ?? (isNext ? null : task.message));
  return {
    ...task,
    phase: isNext && news.phase ? news.phase : task.phase,
    message,
    startedAt: task.startedAt ?? news.begun?.endpoint ?? null,
    endpointUrl: news.endpointUrl ?? task.endpointUrl,
    job: news.job ?? task.job,
    usage: usageAfter(task.usage ?? { endpoint: null, job: null }, news),
    ...progressAfter(task, news),
  };
}

/** Progress is of a running job: what comes later, or after its end, says nothing. */
function progressAfter(task: TaskSnapshot, { phase, progress }: TaskNews): Pick<TaskSnapshot, 'progress'> {
  if (phase !== undefined && isLater(phase, 'running job')) return { progress: null };
  return isJobProgress(progress) && !isLater(task.phase, 'running job') ? { progress } : {};
}

function usageAfter(usage: Usage, { begun = {}, ended = {} }: TaskNews): Usage {
  const spanOf = (what: keyof Usage): Usage[keyof Usage] => {
    const from = usage[what]?.from ?? begun[what];
    if (from === undefined) return null;
    return { from, until: usage[what]?.until ?? ended[what] ?? null };
  };
  return { endpoint: spanOf('endpoint'), job: spanOf('job') };
}

/** Returns one piece of news that says what both say. */
export function mergedNews(earlier: TaskNews, later: TaskNews): TaskNews {
  const both: TaskNews = {
    ...earlier,
    ...later,
    ...(earlier.begun || later.begun ? { begun: { ...later.begun, ...earlier.begun } } : {}),
    ...(earlier.ended || later.ended ? { ended: { ...later.ended, ...earlier.ended } } : {}),
  };
  if (earlier.phase === undefined || later.phase === undefined || earlier.phase === later.phase) return both;
  if (isLater(earlier.phase, later.phase)) return { ...both, phase: earlier.phase, message: earlier.message ?? null };
  return { ...both, message: later.message ?? null };
}
