import { BarrierNews, type TellReady } from '../../../src/activities/barrier-news';
import { readyTasksIn } from '../../../src/contract/ready-tasks';

/** A barrier that answers when the test says so. */
function slowBarrier() {
  const signals: { readonly indexes: number[]; readonly answer: (error?: Error) => void }[] = [];
  const tell: TellReady = (tasks) =>
    new Promise((resolve, reject) => {
      const answer = (error?: Error): void => (error ? reject(error) : resolve());
      signals.push({ indexes: tasks.map(({ index }) => index), answer });
    });
  return { signals, tell };
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('endpoints that become Ready while a signal is on its way share the next one', async () => {
  const news = new BarrierNews();
  const { signals, tell } = slowBarrier();
  const told = [0, 1, 2].map((index) => news.tell('batch', { index }, tell));
  expect(signals.map(({ indexes }) => indexes)).toEqual([[0]]);
  signals[0]?.answer();
  await told[0];
  await settle();
  expect(signals.map(({ indexes }) => indexes)).toEqual([[0], [1, 2]]);
  signals[1]?.answer();
  await Promise.all(told);

  const later = news.tell('batch', { index: 3 }, tell);
  signals[2]?.answer();
  await later;
  expect(signals.map(({ indexes }) => indexes)).toEqual([[0], [1, 2], [3]]);
});

test('a signal that does not arrive fails for its tasks only', async () => {
  const news = new BarrierNews();
  const { signals, tell } = slowBarrier();
  const [first, second] = [0, 1].map((index) => news.tell('batch', { index }, tell));
  signals[0]?.answer(new Error('Temporal is away'));
  await expect(first).rejects.toThrow('Temporal is away');
  await settle();
  signals[1]?.answer();
  await expect(second).resolves.toBeUndefined();
});

test('barriers do not wait for one another, and a signal has a limit', async () => {
  const news = new BarrierNews();
  const { signals, tell } = slowBarrier();
  const told = [news.tell('one', { index: 0 }, tell), news.tell('other', { index: 1 }, tell)];
  expect(signals.map(({ indexes }) => indexes)).toEqual([[0], [1]]);
  for (let index = 100; index < 300; index += 1) told.push(news.tell('one', { index }, tell));
  signals[0]?.answer();
  signals[1]?.answer();
  // After a moment, since another barrier is told, too.
  while (signals.length < 3) await settle();
  signals[2]?.answer();
  while (signals.length < 4) await settle();
  signals[3]?.answer();
  await Promise.all(told);
  expect(signals.map(({ indexes }) => indexes.length)).toEqual([1, 1, 150, 50]);
});

test.each([
  ['of one task', { index: 2, endpointUrl: 'http://e' }, [{ index: 2, endpointUrl: 'http://e' }]],
  ['of several', { index: 2, others: [{ index: 3 }, { index: 4, endpointUrl: 'u' }] }, [2, 3, 4]],
  ['without a payload', undefined, []],
  ['of nothing', null, []],
  ['with odd parts', { index: '1', endpointUrl: 7, others: [null, 'x', { index: 5, endpointUrl: 7 }] }, [5]],
  ['with others that are no list', { index: 1, others: 'all' }, [1]],
])('a signal %s', (_, payload, expected) => {
  const tasks = readyTasksIn(payload);
  expect(typeof expected[0] === 'number' ? tasks.map(({ index }) => index) : tasks).toEqual(expected);
});
