import { mapConcurrently } from '../../src/support/map-concurrently';
import type { ChaosCase, Recording } from './cases';
import { setups } from './courses';
import { pointsOf } from './points';
import { runCase, type Facts } from './run-case';
import type { TestBed } from './test-bed';
import { violations } from './violations';

export interface CaseResult {
  readonly one: ChaosCase;
  readonly violations: readonly string[];
  /** Whether the request came, so that the fault was applied and the event happened. */
  readonly reached: boolean;
  readonly swept: boolean;
  readonly ms: number;
}

export interface Recorded {
  readonly recordings: readonly Recording[];
  /** Courses that failed without any disturbance. */
  readonly broken: readonly string[];
}

/** Runs each course undisturbed, `times` times, and returns the points that came every time. */
export async function recordPoints(
  testBed: TestBed,
  options: { readonly wanted: readonly Omit<Recording, 'points'>[]; readonly times: number; readonly atOnce: number },
): Promise<Recorded> {
  const repeated = options.wanted.flatMap((one) => Array.from({ length: options.times }, () => one));
  const logs = new Map<string, Facts['log'][]>();
  const broken: string[] = [];
  const keyOf = ({ setup, course }: Omit<Recording, 'points'>): string => `${setup} ${course.name}`;
  await mapConcurrently(repeated, options.atOnce, async (one) => {
    const { setup, course } = one;
    const facts = await runCase(testBed, { ...one, world: 'plain' });
    const wrong = violations(facts, course, undefined);
    if (wrong.length > 0) broken.push(`${course.name}, undisturbed (${setup}): ${wrong.join('; ')}`);
    const log = facts.log.filter(({ border }) => setups[setup].borders.includes(border));
    logs.set(keyOf(one), [...(logs.get(keyOf(one)) ?? []), log]);
  });
  return {
    recordings: options.wanted.map((one) => ({ ...one, points: pointsOf(logs.get(keyOf(one)) ?? []) })),
    broken,
  };
}

/** Runs the cases, `atOnce` at a time; once half of them have begun, begins none after `until`. */
export async function runMatrix(
  testBed: TestBed,
  options: {
    readonly cases: readonly ChaosCase[];
    readonly atOnce: number;
    readonly until: number;
    readonly report: (result: CaseResult) => void;
  },
): Promise<CaseResult[]> {
  const results: CaseResult[] = [];
  let begun = 0;
  await mapConcurrently(options.cases, options.atOnce, async (one) => {
    if (begun >= options.cases.length / 2 && performance.now() > options.until) return;
    begun += 1;
    const result = await judge(testBed, one);
    results.push(result);
    options.report(result);
  });
  return results;
}

/** How often a case is tried until it reaches its point; otherwise it proves nothing. */
const maxTries = 3;

async function judge(testBed: TestBed, one: ChaosCase): Promise<CaseResult> {
  const wrong: string[] = [];
  try {
    for (let tries = 1; ; tries += 1) {
      const facts = await runCase(testBed, { ...one, one });
      wrong.push(...violations(facts, one.course, one));
      const reached = facts.disturbance.hits > 0;
      if (reached || wrong.length > 0 || tries === maxTries)
        return { one, violations: wrong, reached, swept: facts.sweptSomething, ms: facts.ms };
    }
  } catch (error) {
    const failure = `the case itself failed: ${(error as Error).stack ?? String(error)}`;
    return { one, violations: [...wrong, failure], reached: true, swept: false, ms: 0 };
  }
}
