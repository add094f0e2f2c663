import { isJobProgress } from './job-progress';
import type { TaskNews, TaskPhase, TaskSnapshot } from './state';
import { mergedTimes, replacedTimes, usageRules, type UsageRules } from './task-usage';

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
export function withNews(before: TaskSnapshot, news: TaskNews, rules: UsageRules = usageRules): TaskSnapshot {
  const task = isNextAttempt(before, news) ? beforeAttempt(before, news, rules) : before;
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
    ...rules.after(task, news),
    ...progressAfter(task, news),
  };
}

/** Progress is of a running job: what comes later, or after its end, says nothing. */
function progressAfter(task: TaskSnapshot, { phase, progress }: TaskNews): Pick<TaskSnapshot, 'progress'> {
  if (phase !== undefined && isLater(phase, 'running job')) return { progress: null };
  return isJobProgress(progress) && !isLater(task.phase, 'running job') ? { progress } : {};
}

/** Whether the news tell of another job than the one that is known. */
const isNextAttempt = (
  { attempt: known }: Pick<TaskSnapshot, 'attempt'>,
  { attempt }: Pick<TaskNews, 'attempt'>,
): boolean => attempt !== undefined && attempt.number > (known?.number ?? 1);

/** With another job the task goes back to a phase that it has been in, and the job's costs begin anew. */
const beforeAttempt = (
  task: TaskSnapshot,
  { attempt, phase, earlierUsage = [] }: TaskNews,
  rules: UsageRules,
): TaskSnapshot => ({
  ...task,
  ...(attempt === undefined ? {} : { attempt }),
  ...rules.ofNext(task, earlierUsage),
  ...(isLater(task.phase, 'ready') && task.outcome === null
    ? { phase: phase !== undefined && isLater('ready', phase) ? phase : 'ready', message: null }
    : {}),
  progress: null,
});

/** Returns one piece of news that says what both say. */
export function mergedNews(earlier: TaskNews, later: TaskNews): TaskNews {
  if (isNextAttempt(earlier, later)) return replacedNews(earlier, later);
  const both: TaskNews = { ...earlier, ...later, ...mergedTimes(earlier, later) };
  if (earlier.phase === undefined || later.phase === undefined || earlier.phase === later.phase) return both;
  if (isLater(earlier.phase, later.phase)) return { ...both, phase: earlier.phase, message: earlier.message ?? null };
  return { ...both, message: later.message ?? null };
}

/** What was said of an earlier job is out of date when another one has begun. */
const replacedNews = ({ begun = {}, ended = {}, ...earlier }: TaskNews, later: TaskNews): TaskNews => ({
  ...earlier,
  message: null,
  ...later,
  ...replacedTimes({ begun, ended }, later),
});
