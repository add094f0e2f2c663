import { pendingTask, type TaskSnapshot } from '../../../src/contract/state';
import { mergedNews, withNews } from '../../../src/contract/task-news';

const pending: TaskSnapshot = pendingTask({ index: 0, name: 'a', endpointName: 'e' });

test('a task goes through its phases, whatever order the news arrive in', () => {
  const created = withNews(pending, { index: 0, phase: 'creating endpoint', begun: { endpoint: 't1' } });
  expect(created).toMatchObject({
    phase: 'creating endpoint',
    startedAt: 't1',
    usage: { endpoint: { from: 't1', until: null } },
  });
  const running = withNews(created, { index: 0, phase: 'running job', job: 'j' });
  const late = withNews(running, { index: 0, phase: 'awaiting ready', message: 'Starting: pulling' });
  expect(late).toMatchObject({ phase: 'running job', job: 'j', message: null });
});

test('words stay until the next phase, and a resource costs until it has ended', () => {
  const waiting = withNews(pending, { index: 0, phase: 'awaiting ready', message: 'Starting: pulling' });
  expect(withNews(waiting, { index: 0, ended: { endpoint: 't9' } }).message).toBe('Starting: pulling');
  const begun = withNews(waiting, { index: 0, phase: 'submitting job', begun: { job: 't2' } });
  expect(begun.message).toBeNull();
  expect(withNews(begun, { index: 0, ended: { job: 't3' }, begun: { job: 't9' } }).usage?.job).toEqual({
    from: 't2',
    until: 't3',
  });
});

test('two news in one say what both say', () => {
  const [create, wait, run] = [
    { index: 0, phase: 'creating endpoint', begun: { endpoint: 't1' } },
    { index: 0, phase: 'awaiting ready', message: 'Starting' },
    { index: 0, phase: 'running job' },
  ] as const;
  expect(mergedNews(create, wait)).toEqual({ ...create, ...wait });
  expect(mergedNews(mergedNews(create, wait), run)).toEqual({ ...create, phase: 'running job', message: null });
  expect(mergedNews(run, create)).toEqual({ ...create, phase: 'running job', message: null });
});
