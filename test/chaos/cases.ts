import { setupNames, setups, type Course, type Setup } from './courses';
import { faultsAt, timesOf, type Fault } from './faults';
import type { Border } from './ledger';
import { kindOf, pointName, type Point } from './points';

/** The matrix: points × faults × events, and a seeded choice of it. Pure. */

/** What happens at the very moment of the request, beside what happens to the request. */
export type ChaosEvent =
  | 'nothing'
  | 'cancel'
  | 'second cancel'
  | 'terminate run'
  | 'terminate task'
  | 'terminate both'
  | 'kill command'
  | 'kill worker'
  | 'kill server'
  | 'kill platform'
  | 'cut from server';

const userEvents = ['nothing', 'cancel', 'second cancel', 'terminate run', 'terminate task', 'terminate both'] as const;

/** What needs no processes of its own but the command that is disturbed. */
export function quickEvents(border: Border): readonly ChaosEvent[] {
  switch (border) {
    case 'platform':
    case 'model':
      return userEvents;
    case 'worker':
      return [...userEvents, 'cut from server'];
    case 'client':
      return [...userEvents, 'cut from server', 'kill command'];
  }
}

/** What kills the processes of a stack. */
export const killEvents = (): readonly ChaosEvent[] => [
  'kill worker',
  'kill server',
  'kill platform',
  'cut from server',
];

/** The points of one course, as one setup goes through it. */
export interface Recording {
  readonly setup: Setup;
  readonly course: Course;
  readonly points: readonly Point[];
}

export interface ChaosCase {
  readonly id: string;
  readonly setup: Setup;
  readonly course: Course;
  readonly point: Point;
  readonly fault: Fault;
  /** How many requests of that kind in a row it happens to. The event comes with the first. */
  readonly times: 1 | 3;
  readonly event: ChaosEvent;
}

/** Every case there is, over the points of each course. */
export function allCases(
  recordings: readonly Recording[],
  eventsAt: (border: Border) => readonly ChaosEvent[],
): ChaosCase[] {
  return recordings.flatMap(({ setup, course, points }) =>
    points.flatMap((point) =>
      faultsAt(point).flatMap((fault) =>
        timesOf(fault, point).flatMap((times) =>
          eventsAt(point.border)
            .filter((event) => event !== 'nothing' || fault.answer.kind !== 'pass')
            .map((event) => {
              const what = `${fault.name}${times === 1 ? '' : ` x${times}`}`;
              const id = [course.name, pointName(point), what, event].join(' | ');
              return { id, setup, course, point, fault, times, event };
            }),
        ),
      ),
    ),
  );
}

/** Which setups can hold a case whose name has all of these texts: only these need be recorded. Pure. */
export function setupsFor(texts: readonly string[]): readonly Setup[] {
  const named = texts.flatMap((text) => /(?:^|\| )(platform|model|worker|client)(?: |$)/.exec(text)?.[1] ?? []);
  return setupNames.filter((name) => named.every((border) => setups[name].borders.some((own) => own === border)));
}

/** `count` cases, the same for the same seed. Every kind of (request, event) comes before one comes twice. */
export function sample(cases: readonly ChaosCase[], { count, seed }: { count: number; seed: number }): ChaosCase[] {
  const random = randomOf(seed);
  const shuffled = cases.map((one) => ({ one, key: random() })).sort((a, b) => a.key - b.key);
  const seen = new Map<string, number>();
  return shuffled
    .map(({ one, key }) => {
      const kind = `${kindOf(one.point)} ${one.event}`;
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
