import { allCases, coursesFor, killEvents, quickEvents, sample } from './cases';
import { recordPoints, runMatrix, type CaseResult } from './matrix';
import type { Setup } from './courses';
import { processStand } from './process-stand';
import { inProcessStand, type Stand } from './stand';
import { onlyPlain, worldsOf, type World } from './worlds';

/**
 * A part of the matrix, the same at each run; `npm run chaos` does the rest. The time bound is for slow machines: cases
 * that are not begun by then are left out, but never more than half.
 */
const seed = 20;
const boundMs = 80_000;

/** Wrong clocks take a process each: they are left to `npm run chaos`. */
const worldsHere = (setup: Setup): readonly World[] => worldsOf(setup).filter((world) => !world.includes('clock'));

async function part(
  stand: Stand,
  which: Parameters<typeof allCases>[1],
  size: { count: number; atOnce: number },
): Promise<void> {
  const results: CaseResult[] = [];
  try {
    const { recordings, broken } = await recordPoints(stand, { wanted: coursesFor([]), times: 1, atOnce: size.atOnce });
    expect(broken).toEqual([]);
    // Silences in a row are minutes of waiting: they are left to `npm run chaos`.
    const bounded = allCases(recordings, which).filter(
      ({ fault, times }) => fault.answer.kind !== 'silence' || times === 1,
    );
    const cases = sample(bounded, { count: size.count, seed });
    const until = performance.now() + boundMs;
    await runMatrix(stand, { cases, atOnce: size.atOnce, until, report: (result) => results.push(result) });
  } finally {
    await stand.close();
  }
  const wrong = results.flatMap(({ one, violations }) => violations.map((violation) => `${one.id}: ${violation}`));
  expect(wrong).toEqual([]);
  expect(results.length).toBeGreaterThanOrEqual(size.count / 2);
  expect(results.filter(({ reached }) => reached).length).toBeGreaterThanOrEqual(results.length / 2);
}

test('faults crossed with cancels and terminations leave nothing and lose nothing', async () => {
  await part(await inProcessStand(), { eventsAt: quickEvents, worldsIn: worldsHere }, { count: 18, atOnce: 6 });
}, 240_000);

test('nor do processes that are killed at those moments', async () => {
  await part(await processStand(), { eventsAt: killEvents, worldsIn: onlyPlain }, { count: 4, atOnce: 3 });
}, 300_000);
