import { costAt } from '../../../src/contract/cost';
import {
  attemptName,
  attemptsAllowed,
  furtherJobNames,
  isFurtherJob,
  mostJobRetries,
  usageOfEarlier,
} from '../../../src/contract/job-attempts';
import { mergedNews, withNews } from '../../../src/contract/task-news';
import { pendingTask, type TaskNews, type TaskSnapshot } from '../../../src/contract/state';
import { jobName, taskSlug } from '../../../src/config/plan/resource-names';

const at = (minute: number): string => `2026-11-28T10:${String(minute).padStart(2, '0')}:00.000Z`;

test('the names of all jobs of a task differ, and fit', () => {
  const first = jobName({
    slug: taskSlug('a.very_long_task_name_indeed'),
    index: 4999,
    invocation: '0123456789abcdef',
  });
  const further = furtherJobNames(first, { jobRetries: 99 });
  expect(further).toHaveLength(mostJobRetries);
  for (const name of further) expect(name).toMatch(/^[a-z][a-z0-9-]{0,34}[a-z0-9]$/);
  expect(new Set([first, ...further]).size).toBe(mostJobRetries + 1);
  expect(further.every((name) => isFurtherJob(first, name))).toBe(true);
  expect(isFurtherJob(first, `${first}-10`)).toBe(false);
  expect([attemptName('j', 1), attemptName('j', 2)]).toEqual(['j', 'j-2']);
  expect([attemptsAllowed({}), attemptsAllowed({ jobRetries: 2 })]).toEqual([1, 3]);
  expect(furtherJobNames('j', {})).toEqual([]);
});

const running = withNews(pendingTask({ index: 0, name: 'a', endpointName: 'e' }), {
  index: 0,
  phase: 'running job',
  job: 'j',
  begun: { endpoint: at(0), job: at(10) },
});
const earlierUsage = [usageOfEarlier(running.usage, ['job'], at(20))];
const next: TaskNews = {
  index: 0,
  phase: 'submitting job',
  job: 'j-2',
  attempt: { number: 2, of: 3 },
  earlierUsage,
  begun: { job: at(25) },
};

test('news of another job take the task back to its submission, and count the earlier one', () => {
  const resubmitted = withNews(running, next);
  expect(resubmitted).toMatchObject({
    phase: 'submitting job',
    job: 'j-2',
    attempt: { number: 2, of: 3 },
    usage: { endpoint: { from: at(0), until: null }, job: { from: at(25), until: null } },
    earlierUsage: [{ endpoint: null, job: { from: at(10), until: at(20) } }],
  });
  // Told again, and news of the earlier job that come late: nothing changes.
  expect(withNews(resubmitted, next)).toEqual(resubmitted);
  const budget = { limit: 100, currency: 'USD', endpointPerHour: 6, jobPerHour: 60 };
  expect(costAt([resubmitted], budget, Date.parse(at(30)))).toBeCloseTo(3 + 10 + 5);
});

test('news of both jobs in one signal', () => {
  const both = mergedNews({ index: 0, message: 'running', ended: { job: at(20) }, begun: { endpoint: at(0) } }, next);
  expect(both).toEqual({ ...next, message: null, begun: { endpoint: at(0), job: at(25) } });
  expect(withNews(running, both).usage?.job).toEqual({ from: at(25), until: null });
});

describe('an endpoint that is made anew with the job', () => {
  const budget = { limit: 100, currency: 'USD', endpointPerHour: 60, jobPerHour: 0 };
  const costAfter = (minute: number, task: TaskSnapshot): number => costAt([task], budget, Date.parse(at(minute)));
  const lost: TaskNews = { index: 0, ended: { job: at(19), endpoint: at(20) } };
  const attempt = { number: 2, of: 3 };
  // The workflow's own times differ a little from those of the news.
  const before = [
    { endpoint: { from: '2026-11-28T10:00:00.010Z', until: at(20) }, job: { from: at(10), until: at(20) } },
  ];
  const made: TaskNews = { index: 0, phase: 'creating endpoint', begun: { endpoint: at(22) } };
  const madeForJob: TaskNews = { ...made, attempt, earlierUsage: before };
  const submitted: TaskNews = { ...next, earlierUsage: before };
  /** What is told of it, by a task of this build and of an older one. */
  const courses = [
    ['this build', madeForJob],
    ['an older one', made],
  ] as const;

  test.each(courses)('costs from its begin, and the first one once (%s)', (_, begins) => {
    const gone = withNews(running, lost);
    const remade = withNews(gone, begins);
    expect(remade.usage?.endpoint).toEqual({ from: at(22), until: null });
    expect(costAfter(24, remade)).toBeCloseTo(22);
    const resubmitted = withNews(remade, submitted);
    expect(resubmitted).toMatchObject({
      earlierUsage: before,
      usage: { endpoint: { from: at(22) }, job: { from: at(25) } },
    });
    expect(costAfter(30, resubmitted)).toBeCloseTo(28);
    const released = withNews(resubmitted, { index: 0, ended: { endpoint: at(40) } });
    expect(costAfter(59, released)).toBeCloseTo(38);
  });

  test.each(courses)('late news of the first one change nothing (%s)', (_, begins) => {
    const remade = withNews(withNews(running, lost), begins);
    expect(withNews(remade, lost).usage).toEqual(remade.usage);
    const resubmitted = withNews(remade, submitted);
    for (const late of [lost, { index: 0, begun: { endpoint: at(0), job: at(10) } }, made])
      expect(withNews(resubmitted, late)).toMatchObject({ usage: resubmitted.usage, earlierUsage: before });
  });

  test('its begin is told before the end of the first one, by another worker', () => {
    const remade = withNews(withNews(running, madeForJob), lost);
    expect(remade.usage?.endpoint).toEqual({ from: at(22), until: null });
    expect(costAfter(24, remade)).toBeCloseTo(22);
  });

  test.each(courses)('all of it in one signal (%s)', (_, begins) => {
    const all = [lost, begins, submitted].reduce(mergedNews);
    expect(costAfter(30, withNews(running, all))).toBeCloseTo(28);
    const untilMade = mergedNews(lost, begins);
    expect(costAfter(24, withNews(running, untilMade))).toBeCloseTo(22);
    const ended = mergedNews(untilMade, { index: 0, ended: { endpoint: at(23) } });
    expect(costAfter(24, withNews(running, ended))).toBeCloseTo(begins === made ? 23 : 21);
  });

  test('its first end is told late by a clock that is ahead', () => {
    const ahead: TaskNews = { index: 0, ended: { endpoint: at(23) } };
    expect(withNews(running, mergedNews(ahead, madeForJob)).usage?.endpoint).toEqual({ from: at(22), until: null });
  });

  test('shows that it is made', () => {
    expect(withNews({ ...running, message: 'Running' }, madeForJob)).toMatchObject({
      phase: 'creating endpoint',
      message: null,
      attempt,
    });
  });
});
