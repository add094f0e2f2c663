import { setTimeout as sleep } from 'node:timers/promises';
import { mapConcurrently } from '../../../src/support/map-concurrently';

test('results are in the order of the items, and no more run at a time than the limit', async () => {
  let running = 0;
  let most = 0;
  const work = async (ms: number): Promise<number> => {
    running += 1;
    most = Math.max(most, running);
    await sleep(ms);
    running -= 1;
    return ms * 2;
  };
  expect(await mapConcurrently([9, 1, 5, 0], 2, work)).toEqual([18, 2, 10, 0]);
  expect(most).toBe(2);
  expect(await mapConcurrently([], 2, work)).toEqual([]);
});

test('after a failure nothing more is started, and running work ends first', async () => {
  const ended: string[] = [];
  const work = async (name: string): Promise<void> => {
    if (name === 'fails') throw new Error('no');
    await sleep(5);
    ended.push(name);
  };
  await expect(mapConcurrently(['slow', 'fails', 'never'], 2, work)).rejects.toThrow('no');
  expect(ended).toEqual(['slow']);
});
