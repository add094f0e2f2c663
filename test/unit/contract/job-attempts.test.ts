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
import { pendingTask, type TaskNews } from '../../../src/contract/state';
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
