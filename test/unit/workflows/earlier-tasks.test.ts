import { ActivityFailure, ApplicationFailure, TimeoutFailure } from '@temporalio/workflow';
import { restoreCaches, takeOver } from '../../../src/workflows/earlier-tasks';
import { runOf } from '../../../src/contract/endpoint-plans';
import type { TaskPlan } from '../../../src/contract/plan';
import { runPlan } from '../../support/plans';

/** What a retry takes from an earlier run, on a machine that was asleep. The activities are mocked. */

const takeOverResults = jest.fn();
const restore = jest.fn();
let patches: string[] = [];

jest.mock('@temporalio/workflow', () => ({
  ...jest.requireActual<object>('@temporalio/workflow'),
  proxyActivities: () => ({ takeOverResults, restoreCaches: restore }),
  patched: (id: string) => patches.includes(id),
}));

const timedOut = new ActivityFailure(
  'Activity task timed out',
  'takeOverResults',
  '1',
  'TIMEOUT',
  undefined,
  new TimeoutFailure('activity ScheduleToClose timeout', undefined, 'SCHEDULE_TO_CLOSE'),
);
const { tasks, ...header } = runPlan({ outputRoot: '/tmp/none', tasks: ['gsm8k'] });
const place = { invocation: 'f'.repeat(16), index: 0, place: '/tmp/earlier', folder: '0-gsm8k' };
const task = { ...tasks[0], earlier: { ...place, use: 'caches' } } as TaskPlan;
const results = { found: 'home', files: 1, bytes: 1, incomplete: null, metrics: null, notes: [] };

beforeEach(() => {
  jest.resetAllMocks();
  patches = ['fresh-budget-after-absence', 'fresh-budget-for-earlier-tasks'];
});

test('results are taken over after hours without a worker', async () => {
  takeOverResults.mockRejectedValueOnce(timedOut).mockRejectedValueOnce(timedOut).mockResolvedValueOnce(results);
  const taken = await takeOver(header, task, { ...place, use: 'results' });
  expect(taken).toMatchObject({ outcome: 'succeeded', error: null });
  expect(takeOverResults).toHaveBeenCalledTimes(3);
});

test('a run that an older build began goes on as it did', async () => {
  patches = ['fresh-budget-after-absence'];
  takeOverResults.mockRejectedValueOnce(timedOut).mockResolvedValueOnce(results);
  expect(await takeOver(header, task, { ...place, use: 'results' })).toMatchObject({ outcome: 'failed' });
  expect(takeOverResults).toHaveBeenCalledTimes(1);
});

test('what can not be had is not tried again', async () => {
  takeOverResults.mockRejectedValueOnce(ApplicationFailure.nonRetryable('damaged'));
  expect(await takeOver(header, task, { ...place, use: 'results' })).toMatchObject({
    outcome: 'failed',
    error: { message: expect.stringContaining('damaged') },
  });
});

test('caches are put back after an absence, too; what is said of half of them is true', async () => {
  const input = { run: runOf(header, task), task };
  restore.mockRejectedValueOnce(timedOut).mockResolvedValueOnce(2);
  expect(await restoreCaches(input)).toContain('went on from what it had cached');
  restore.mockRejectedValueOnce(ApplicationFailure.nonRetryable('no space'));
  expect(await restoreCaches(input)).toContain(
    'All or part of what the evaluator had cached in run ffffffffffffffff could not be put back (no space): it asked that again',
  );
});
