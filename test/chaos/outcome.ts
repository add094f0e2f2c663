import type { CaseResult } from './matrix';
import { kindOf } from './points';

/** The outcome of a case, one line of a journal. */
export interface Outcome {
  readonly id: string;
  readonly point: string;
  readonly fault: string;
  readonly event: string;
  readonly world: string;
  readonly violations: readonly string[];
  readonly reached: boolean;
  readonly swept: boolean;
  readonly ms: number;
}

export const outcomeOf = ({ one, violations, reached, swept, ms }: CaseResult): Outcome => ({
  id: one.id,
  point: kindOf(one.point),
  fault: one.fault.name,
  event: one.event,
  world: one.world,
  violations,
  reached,
  swept,
  ms,
});

export interface Tally {
  readonly cases: number;
  readonly held: number;
  readonly broken: number;
  readonly missed: number;
}

export function tally(outcomes: readonly Outcome[]): Tally {
  const broken = outcomes.filter(({ violations }) => violations.length > 0).length;
  const held = outcomes.filter(({ reached, violations }) => reached && violations.length === 0).length;
  return { cases: outcomes.length, held, broken, missed: outcomes.length - held - broken };
}

export function summary(outcomes: readonly Outcome[]): string {
  const { cases, held, broken, missed } = tally(outcomes);
  const share = cases === 0 ? 0 : (100 * missed) / cases;
  const swept = outcomes.filter((outcome) => outcome.swept).length;
  return `${cases} cases: ${held} held, ${broken} violations, ${missed} not reached (${share.toFixed(1)} %); ${swept} needed the sweeper`;
}
