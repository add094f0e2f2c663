import { allCases, killEvents, quickEvents, sample } from './cases';
import { setupNames } from './courses';
import { recordPoints, runMatrix, type CaseResult } from './matrix';
import { processStand } from './process-stand';
import { inProcessStand, type Stand } from './stand';

/**
 * A part of the matrix, the same at each run; `npm run chaos` does the rest. The time bound is for slow machines: cases
 * that are not begun by then are left out, but never more than half.
 */
const seed = 20;
const boundMs = 80_000;

async function part(
  stand: Stand,
  events: Parameters<typeof allCases>[1],
  size: { count: number; atOnce: number },
): Promise<void> {
  const results: CaseResult[] = [];
  try {
    const recordings = await recordPoints(stand, { setups: setupNames, times: 1, atOnce: size.atOnce });
    // Silences in a row are minutes of waiting: they are left to `npm run chaos`.
    const bounded = allCases(recordings, events).filter(
      ({ fault, times }) => fault.answer.kind !== 'silence' || times === 1,
    );
    const cases = sample(bounded, { count: size.count, seed });
    const until = Date.now() + boundMs;
    await runMatrix(stand, { cases, atOnce: size.atOnce, until, report: (result) => results.push(result) });
  } finally {
    await stand.close();
  }
  const broken = results.flatMap(({ one, violations }) => violations.map((violation) => `${one.id}: ${violation}`));
  expect(broken).toEqual([]);
  expect(results.length).toBeGreaterThanOrEqual(size.count / 2);
  expect(results.filter(({ reached }) => reached).length).toBeGreaterThanOrEqual(results.length / 2);
}

test('faults crossed with cancels and terminations leave nothing and lose nothing', async () => {
  await part(await inProcessStand(), quickEvents, { count: 18, atOnce: 6 });
}, 240_000);

test('nor do processes that are killed at those moments', async () => {
  await part(await processStand(), killEvents, { count: 4, atOnce: 3 });
}, 300_000);
