import { createLane } from '../../../src/activities/heavy';

/** A lane of two places with work that ends when it is told to; `begun` lists the work in the order in which it began. */
function laneOfTwo() {
  const lane = createLane(2);
  const begun: string[] = [];
  const ends = new Map<string, (error?: Error) => void>();
  const add = (run: string, name: string): Promise<void> =>
    lane(run, async () => {
      begun.push(name);
      await new Promise<void>((resolve, reject) =>
        ends.set(name, (error) => (error === undefined ? resolve() : reject(error))),
      );
    });
  const end = async (name: string, error?: Error): Promise<void> => {
    ends.get(name)?.(error);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { begun, add, end };
}

test('runs take turns: one with a single task waits for one end, not for all of a large run', async () => {
  const { begun, add, end } = laneOfTwo();
  const all = ['a0', 'a1', 'a2', 'a3', 'a4'].map((name) => add('a', name));
  const small = add('b', 'b0');
  await end('a0');
  await end('a1');
  expect(begun).toEqual(['a0', 'a1', 'a2', 'b0']);
  for (const name of ['b0', 'a2', 'a3', 'a4']) await end(name);
  await Promise.all([...all, small]);
  expect(begun).toEqual(['a0', 'a1', 'a2', 'b0', 'a3', 'a4']);
});

test('work that fails frees its place, also when nothing waits for it', async () => {
  const { begun, add, end } = laneOfTwo();
  const failing = [add('a', 'a0'), add('a', 'a1')];
  await end('a0', new Error('no'));
  await end('a1', new Error('no'));
  expect((await Promise.allSettled(failing)).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  const next = [add('a', 'a2'), add('b', 'b0'), add('b', 'b1')];
  expect(begun).toEqual(['a0', 'a1', 'a2', 'b0']);
  for (const name of ['a2', 'b0', 'b1']) await end(name);
  await Promise.all(next);
});
