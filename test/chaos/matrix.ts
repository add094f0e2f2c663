import { courses, type Course, type CourseName, courseOf } from './courses';
import type { ChaosCase } from './cases';
import { pointsOf, type Point } from './points';
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

/** Runs each course undisturbed and takes its request log apart. Rejects when that alone goes wrong. */
export async function recordPoints(stand: Stand): Promise<Record<CourseName, Point[]>> {
  const recorded = await Promise.all(
    courses.map(async (course): Promise<[CourseName, Point[]]> => {
      const facts = await runCase(stand, course, undefined);
      const wrong = violations(facts, course, undefined);
      if (wrong.length > 0) throw new Error(`course ${course.name}, undisturbed: ${wrong.join('; ')}`);
      return [course.name, pointsOf(facts.log, facts.disturbedFrom)];
    }),
  );
  return Object.fromEntries(recorded) as Record<CourseName, Point[]>;
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
  const queue = [...options.cases];
  const lane = async (): Promise<void> => {
    for (let one = queue.shift(); one && Date.now() < options.until; one = queue.shift()) {
      const result = await judge(stand, courseOf(one.course), one);
      results.push(result);
      options.report(result);
    }
  };
  await Promise.all(Array.from({ length: options.atOnce }, lane));
  return results;
}

async function judge(stand: Stand, course: Course, one: ChaosCase): Promise<CaseResult> {
  try {
    const facts = await runCase(stand, course, one);
    return { one, facts, violations: violations(facts, course, one), reached: facts.happening.hits > 0 };
  } catch (error) {
    return {
      one,
      facts: undefined,
      violations: [`the case itself failed: ${(error as Error).stack ?? String(error)}`],
      reached: true,
    };
  }
}
