import { NewsBoard, signalIntervalMs, type SendNews } from '../../../src/activities/news-board';
import type { TaskNews } from '../../../src/contract/state';

jest.useFakeTimers();

function boardWith(send: SendNews) {
  const board = new NewsBoard(() => Date.now());
  return { board, tell: (news: TaskNews) => board.tell('run', news, send) };
}

const day = 86_400_000;

test('news of many tasks are told together, a moment after the first', async () => {
  const sent: (readonly TaskNews[])[] = [];
  const { tell } = boardWith((news) => {
    sent.push(news);
    return Promise.resolve('sent');
  });
  for (let index = 0; index < 100; index += 1) tell({ index, phase: 'creating endpoint' });
  await jest.advanceTimersByTimeAsync(0);
  for (let index = 0; index < 100; index += 1) tell({ index, phase: 'awaiting ready' });
  await jest.advanceTimersByTimeAsync(1_500);
  expect(sent.map((news) => news.length)).toEqual([100, 100]);
});

test('of several news of a task the last phase counts, and nothing is told twice', async () => {
  const sent: TaskNews[] = [];
  const { tell } = boardWith((news) => {
    sent.push(...news);
    return Promise.resolve('sent');
  });
  tell({ index: 0, phase: 'creating endpoint', begun: { endpoint: 'then' } });
  tell({ index: 0, phase: 'awaiting ready' });
  tell({ index: 0, message: 'Starting: pulling' });
  await jest.advanceTimersByTimeAsync(5_000);
  // A further attempt of the same activity.
  tell({ index: 0, phase: 'awaiting ready' });
  await jest.advanceTimersByTimeAsync(5_000);
  expect(sent).toEqual([
    { index: 0, phase: 'awaiting ready', message: 'Starting: pulling', begun: { endpoint: 'then' } },
  ]);
});

test('news that could not be sent are sent later, with what has happened since; those of a closed run are dropped', async () => {
  const answers: (() => Promise<'sent' | 'gone'>)[] = [
    () => Promise.reject(new Error('away')),
    () => Promise.resolve('sent'),
    () => Promise.resolve('gone'),
  ];
  const sent: (readonly TaskNews[])[] = [];
  const { tell } = boardWith((news) => {
    sent.push(news);
    return answers.shift()?.() ?? Promise.reject(new Error('not asked for'));
  });
  tell({ index: 0, phase: 'running job' });
  await jest.advanceTimersByTimeAsync(100);
  tell({ index: 0, ended: { job: 'now' } });
  await jest.advanceTimersByTimeAsync(10_000);
  tell({ index: 1, phase: 'running job' });
  await jest.advanceTimersByTimeAsync(10_000);
  tell({ index: 2, phase: 'running job' });
  await jest.advanceTimersByTimeAsync(100_000);
  expect(sent).toEqual([
    [{ index: 0, phase: 'running job' }],
    [{ index: 0, phase: 'running job', ended: { job: 'now' } }],
    [{ index: 1, phase: 'running job' }],
  ]);
});

test('news for many tasks are split, so that no signal is large', async () => {
  const sizes: number[] = [];
  const { tell } = boardWith((news) => {
    sizes.push(JSON.stringify(news).length);
    return Promise.resolve('sent');
  });
  for (let index = 0; index < 1_000; index += 1) tell({ index, message: 'm'.repeat(300) });
  await jest.advanceTimersByTimeAsync(60_000);
  expect(sizes.length).toBeGreaterThan(5);
  expect(Math.max(...sizes)).toBeLessThan(65_536);
});

test('a week of news costs a run of any size few signals', () => {
  for (const tasks of [1, 50, 200, 5_000]) {
    // As many as there can be: a phase can change only a few times for each task.
    let [signals, atMs] = [0, 0];
    while (atMs < 7 * day && signals < tasks * 8) {
      atMs += signalIntervalMs({ ageMs: atMs, tasks, isPhase: true });
      signals += 1;
    }
    let [messages, messageAtMs] = [0, 0];
    while (messageAtMs < 7 * day) {
      messageAtMs += signalIntervalMs({ ageMs: messageAtMs, tasks, isPhase: false });
      messages += 1;
    }
    expect(signals + messages).toBeLessThan(2_500);
  }
});
