import { allCases, coursesFor, killEvents, quickEvents, sample } from './cases';
import { recordPoints, runMatrix, type CaseResult } from './matrix';
import type { CourseName, Setup } from './courses';
import { processTestBed } from './process-test-bed';
import { inProcessTestBed, type TestBed } from './test-bed';
import { onlyPlain, worldsOf, type World } from './worlds';

/**
 * Runs a part of the matrix, the same each time; `npm run chaos` does the rest. On slow machines, cases that have not
 * begun within the time limit are left out, but never more than half.
 */
const seed = 20;
const boundMs = 80_000;

/** Worlds with a wrong clock need a process each, and are left to `npm run chaos`. */
const worldsHere = (setup: Setup): readonly World[] => worldsOf(setup).filter((world) => !world.includes('clock'));

/** Recording the others takes as long again; `npm run chaos` does that. */
const coursesHere: ReadonlySet<CourseName> = new Set(['success', 'cancelled', 'failing', 'existing']);

async function part(
  testBed: TestBed,
  which: Parameters<typeof allCases>[1],
  size: { count: number; atOnce: number },
): Promise<void> {
  const results: CaseResult[] = [];
  try {
    const { recordings, broken } = await recordPoints(testBed, {
      wanted: coursesFor([]).filter(({ course }) => coursesHere.has(course.name)),
      times: 1,
      atOnce: size.atOnce,
    });
    expect(broken).toEqual([]);
    // Consecutive silences take minutes, and are left to `npm run chaos`.
    const bounded = allCases(recordings, which).filter(
      ({ fault, times }) => fault.answer.kind !== 'silence' || times === 1,
    );
    const cases = sample(bounded, { count: size.count, seed });
    const until = performance.now() + boundMs;
    await runMatrix(testBed, { cases, atOnce: size.atOnce, until, report: (result) => results.push(result) });
  } finally {
    await testBed.close();
  }
  const wrong = results.flatMap(({ one, violations }) => violations.map((violation) => `${one.id}: ${violation}`));
  expect(wrong).toEqual([]);
  expect(results.length).toBeGreaterThanOrEqual(size.count / 2);
  expect(results.filter(({ reached }) => reached).length).toBeGreaterThanOrEqual(results.length / 2);
}

test('faults combined with cancels and terminations leave nothing behind and lose nothing', async () => {
  await part(await inProcessTestBed(), { eventsAt: quickEvents, worldsIn: worldsHere }, { count: 18, atOnce: 6 });
}, 900_000);

test('processes killed at those moments leave nothing behind and lose nothing', async () => {
  await part(await processTestBed(), { eventsAt: killEvents, worldsIn: onlyPlain }, { count: 4, atOnce: 3 });
}, 900_000);
