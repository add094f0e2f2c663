import { mapConcurrently } from '../../src/support/map-concurrently';
import type { ChaosCase, Recording } from './cases';
import { setups } from './courses';
import { pointsOf } from './points';
import { runCase, type Facts } from './run-case';
import type { Stand } from './stand';
import { violations } from './violations';

export interface CaseResult {
  readonly one: ChaosCase;
  readonly violations: readonly string[];
  /** Whether the request came, so that the fault and the event happened. */
  readonly reached: boolean;
  readonly swept: boolean;
  readonly ms: number;
}

export interface Recorded {
  readonly recordings: readonly Recording[];
  /** Courses that went wrong although nothing disturbed them. */
  readonly broken: readonly string[];
}

/** Runs each course undisturbed, `times` times, and takes from the logs the points that came every time. */
export async function recordPoints(
  stand: Stand,
  options: { readonly wanted: readonly Omit<Recording, 'points'>[]; readonly times: number; readonly atOnce: number },
): Promise<Recorded> {
  const repeated = options.wanted.flatMap((one) => Array.from({ length: options.times }, () => one));
  const logs = new Map<string, Facts['log'][]>();
  const broken: string[] = [];
  const keyOf = ({ setup, course }: Omit<Recording, 'points'>): string => `${setup} ${course.name}`;
  await mapConcurrently(repeated, options.atOnce, async (one) => {
    const { setup, course } = one;
    const facts = await runCase(stand, { ...one, world: 'plain' });
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

/** Runs the cases, some at a time, until they or the time are used up. */
export async function runMatrix(
  stand: Stand,
  options: {
    readonly cases: readonly ChaosCase[];
    readonly atOnce: number;
    readonly until: number;
    readonly report: (result: CaseResult) => void;
  },
): Promise<CaseResult[]> {
  const results: CaseResult[] = [];
  await mapConcurrently(options.cases, options.atOnce, async (one) => {
    if (performance.now() > options.until) return;
    const result = await judge(stand, one);
    results.push(result);
    options.report(result);
  });
  return results;
}

/** Tries at most for a case that does not come to its point: what happens to it then says nothing. */
const triesToReach = 3;

async function judge(stand: Stand, one: ChaosCase): Promise<CaseResult> {
  const wrong: string[] = [];
  try {
    for (let tries = 1; ; tries += 1) {
      const facts = await runCase(stand, { ...one, one });
      wrong.push(...violations(facts, one.course, one));
      const reached = facts.happening.hits > 0;
      if (reached || wrong.length > 0 || tries === triesToReach)
        return { one, violations: wrong, reached, swept: facts.sweptSomething, ms: facts.ms };
    }
  } catch (error) {
    const failure = `the case itself failed: ${(error as Error).stack ?? String(error)}`;
    return { one, violations: [...wrong, failure], reached: true, swept: false, ms: 0 };
  }
}
