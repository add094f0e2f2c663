import { courses, type CourseName } from './courses';
import { applies, faults, type Fault } from './faults';
import { pointName, type Point } from './points';

/** The matrix: points × faults × events, and a seeded choice of it. Pure. */

/** What happens at the very moment of the request, beside what happens to the request. */
export const quickEvents = [
  'nothing',
  'cancel',
  'second cancel',
  'terminate run',
  'terminate task',
  'terminate both',
] as const;
export const killEvents = ['kill worker', 'kill server', 'kill platform', 'cut from server'] as const;

export type ChaosEvent = (typeof quickEvents)[number] | (typeof killEvents)[number];

export interface ChaosCase {
  readonly id: string;
  readonly course: CourseName;
  readonly point: Point;
  readonly fault: Fault;
  /** How many requests of that kind in a row it happens to. The event comes with the first. */
  readonly times: 1 | 3;
  readonly event: ChaosEvent;
}

/** Every case there is, over the points of each course. */
export function allCases(
  points: Readonly<Record<CourseName, readonly Point[]>>,
  events: readonly ChaosEvent[],
): ChaosCase[] {
  return courses.flatMap(({ name: course }) =>
    points[course].flatMap((point) =>
      faults
        .filter((fault) => applies(fault, point.method))
        .flatMap((fault) =>
          (fault.answer.kind === 'pass' ? ([1] as const) : ([1, 3] as const)).flatMap((times) =>
            events
              .filter((event) => event !== 'nothing' || fault.answer.kind !== 'pass')
              .map((event) => ({
                id: [course, pointName(point), `${fault.name}${times === 1 ? '' : ` x${times}`}`, event].join(' | '),
                course,
                point,
                fault,
                times,
                event,
              })),
          ),
        ),
    ),
  );
}

/** `count` cases, the same for the same seed. Every kind of (route, event) comes before one comes twice. */
export function sample(cases: readonly ChaosCase[], { count, seed }: { count: number; seed: number }): ChaosCase[] {
  const random = randomOf(seed);
  const shuffled = cases.map((one) => ({ one, key: random() })).sort((a, b) => a.key - b.key);
  const seen = new Map<string, number>();
  return shuffled
    .map(({ one, key }) => {
      const kind = `${one.point.method} ${one.point.shape} ${one.event}`;
      const round = seen.get(kind) ?? 0;
      seen.set(kind, round + 1);
      return { one, round, key };
    })
    .sort((a, b) => a.round - b.round || a.key - b.key)
    .slice(0, count)
    .map(({ one }) => one);
}

/** Mulberry32: small, seeded, and the same on every machine. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
