import { placesAfter, type PlacedBatch } from '../../../src/workflows/batch-places';

/** Runs tasks to their ends, one after the other, as a run would; returns the most that ever ran at the same time. */
function simulate(sizes: readonly number[], width: number): { most: number; rounds: number } {
  const batches = sizes.map((size) => ({ size, places: 0, remaining: size }));
  const running = (): number => batches.reduce((sum, { places, remaining }) => sum + Math.min(places, remaining), 0);
  let [most, rounds] = [0, 0];
  while (batches.some(({ remaining }) => remaining > 0)) {
    placesAfter(batches, width).forEach((places, at) => {
      const batch = batches[at];
      if (batch) batch.places = Math.max(batch.places, places);
    });
    most = Math.max(most, running());
    const next = batches.find(({ places, remaining }) => Math.min(places, remaining) > 0);
    if (!next) throw new Error('no task may run');
    next.remaining -= 1;
    rounds += 1;
  }
  return { most, rounds };
}

test.each([1, 4, 100, 130, 250, 1_000])('at most %i tasks of all batches run at once, and all come to run', (width) => {
  const sizes = [100, 100, 50];
  expect(simulate(sizes, width)).toEqual({ most: Math.min(width, 250), rounds: 250 });
});

test('the first batches get places first, and none before they are free', () => {
  const batches: PlacedBatch[] = [
    { size: 100, places: 4, remaining: 2 },
    { size: 100, places: 0, remaining: 100 },
    { size: 100, places: 0, remaining: 100 },
  ];
  expect(placesAfter(batches, 4)).toEqual([4, 2, 0]);
});
