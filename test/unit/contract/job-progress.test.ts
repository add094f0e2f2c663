import {
  expectedRestMs,
  isJobProgress,
  progressLine,
  progressWords,
  restWords,
  withObservation,
  type ProgressAt,
} from '../../../src/contract/job-progress';
import { pendingTask } from '../../../src/contract/state';
import { withNews } from '../../../src/contract/task-news';

const at = (seconds: number, done: number, total: number | null = 400): ProgressAt => ({
  atMs: seconds * 1_000,
  done,
  total,
  unit: 'requests',
});

const all = (observations: readonly ProgressAt[]): readonly ProgressAt[] =>
  observations.reduce<readonly ProgressAt[]>(withObservation, []);

describe('the time that is left', () => {
  test('follows from the recent rate', () => {
    expect(expectedRestMs([at(0, 0), at(30, 30), at(60, 60)])).toBe(340_000);
  });

  test.each([
    ['one observation', [at(60, 40)]],
    ['two observations', [at(0, 0), at(60, 40)]],
    ['seconds', [at(0, 0), at(2, 20), at(4, 40)]],
    ['no progress', [at(0, 7), at(60, 7), at(120, 7)]],
    ['two requests', [at(0, 0), at(30, 1), at(60, 2)]],
    ['no total', [at(0, 0, null), at(30, 30, null), at(60, 60, null)]],
    ['too short a time for so much', [at(0, 0, 100_000), at(30, 30, 100_000), at(60, 60, 100_000)]],
  ])('is not said on the evidence of %s', (_, observations) => {
    expect(expectedRestMs(observations)).toBeUndefined();
  });

  test('is none at the end', () => {
    expect(expectedRestMs([at(0, 400)])).toBe(0);
  });

  test('grows while nothing goes on', () => {
    const running = [at(0, 0), at(30, 100), at(60, 200)];
    expect(expectedRestMs(all([...running, at(240, 200)]))).toBe(240_000);
  });
});

test('another round of work begins anew, and old observations are forgotten', () => {
  expect(all([at(0, 10), at(30, 20), at(60, 5)])).toEqual([at(60, 5)]);
  expect(all([at(0, 10), at(30, 20, 800)])).toEqual([at(30, 20, 800)]);
  expect(all([at(0, 10), at(700, 20), at(1_000, 30)])).toEqual([at(700, 20), at(1_000, 30)]);
  expect(all([at(30, 20), at(10, 30)])).toEqual([at(30, 20)]);
});

test('is said as people say it', () => {
  const now = Date.parse('2026-11-28T10:00:00Z');
  const left = (seconds: number): string | undefined =>
    restWords({ expectedEnd: new Date(now + seconds * 1_000).toISOString() }, now);
  expect([4, 34, 240, 5_400, 200_000].map(left)).toEqual([
    'nearly done',
    'about 30 s left',
    'about 4 min left',
    'about 1.5 h left',
    'about 2 days left',
  ]);
  // Long past the expected end nothing is claimed any more.
  expect(left(-300)).toBeUndefined();
  expect(progressWords({ done: 1_200, total: null, unit: 'requests' })).toBe(
    '1,200 requests, of how many is not known',
  );
  const progress = { done: 14, total: 40_000, unit: 'samples', at: '', expectedEnd: null } as const;
  expect(progressLine(progress, now)).toBe('14 of 40,000 samples');
});

test('a task has progress while its job runs, and only then', () => {
  const progress = { done: 1, total: 4, unit: 'requests', at: 't', expectedEnd: null } as const;
  const running = withNews(pendingTask({ index: 0, name: 'a', endpointName: 'e' }), { index: 0, phase: 'running job' });
  const seen = withNews(running, { index: 0, progress });
  expect(seen.progress).toEqual(progress);
  const fetching = withNews(seen, { index: 0, phase: 'fetching results' });
  expect(fetching.progress).toBeNull();
  expect(withNews(fetching, { index: 0, progress }).progress).toBeNull();
});

test('signals can be sent by hand: only progress is taken for progress', () => {
  expect(isJobProgress({ done: 1, total: null, unit: 'samples', at: 't', expectedEnd: null })).toBe(true);
  for (const value of [undefined, 'x', {}, { done: '1', total: 2, unit: 'requests', at: 't', expectedEnd: null }])
    expect(isJobProgress(value)).toBe(false);
});
