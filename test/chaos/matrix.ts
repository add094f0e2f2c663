import type { ChaosCase, Recording } from './cases';
import { setups, type Setup } from './courses';
import { pointsOf } from './points';
import { runCase, type Facts } from './run-case';
import type { Stand } from './stand';
import { violations } from './violations';

export interface CaseResult {
  readonly one: ChaosCase;
  readonly violations: readonly string[];
  /** Whether the request came, so that the fault and the event happened. */
  readonly reached: boolean;
  readonly facts: Facts | undefined;
}

/**
 * Runs each course undisturbed, `times` times, and takes from the logs the points that came every time. Rejects when that
 * alone goes wrong.
 */
export async function recordPoints(
  stand: Stand,
  options: { readonly setups: readonly Setup[]; readonly times: number; readonly atOnce: number },
): Promise<Recording[]> {
  const wanted = options.setups.flatMap((setup) => setups[setup].courses.map((course) => ({ setup, course })));
  const repeated = wanted.flatMap((one) => Array.from({ length: options.times }, () => one));
  const logs = new Map<string, Facts['log'][]>();
  await inLanes(repeated, options.atOnce, async ({ setup, course }) => {
    const facts = await runCase(stand, { setup, course });
    const wrong = violations(facts, course, undefined);
    if (wrong.length > 0) throw new Error(`course ${course.name} (${setup}), undisturbed: ${wrong.join('; ')}`);
    const log = facts.log.filter(({ border }) => setups[setup].borders.includes(border));
    const key = `${setup} ${course.name}`;
    logs.set(key, [...(logs.get(key) ?? []), log]);
  });
  return wanted.map(({ setup, course }) => ({
    setup,
    course,
    points: pointsOf(logs.get(`${setup} ${course.name}`) ?? []),
  }));
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
  await inLanes(options.cases, options.atOnce, async (one) => {
    if (Date.now() > options.until) return;
    const result = await judge(stand, one);
    results.push(result);
    options.report(result);
  });
  return results;
}

/** Rejects with the first failure, when nothing is under way any more. */
async function inLanes<T>(items: readonly T[], lanes: number, work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const failures: unknown[] = [];
  const lane = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined && failures.length === 0; item = queue.shift())
      await work(item).catch((error: unknown) => failures.push(error));
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  if (failures.length > 0) throw failures[0];
}

async function judge(stand: Stand, one: ChaosCase): Promise<CaseResult> {
  try {
    const facts = await runCase(stand, { setup: one.setup, course: one.course, one });
    return { one, facts, violations: violations(facts, one.course, one), reached: facts.happening.hits > 0 };
  } catch (error) {
    const failure = `the case itself failed: ${(error as Error).stack ?? String(error)}`;
    return { one, facts: undefined, violations: [failure], reached: true };
  }
}
