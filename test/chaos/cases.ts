import { createHash } from 'node:crypto';
import { setupNames, setups, type Course, type Setup } from './courses';
import { faultsAt, timesOf, type Fault } from './faults';
import type { Border } from './ledger';
import { kindOf, pointName, type Point } from './points';
import type { World } from './worlds';

/** The matrix of points × faults × events, and a seeded sample of it. Pure. */

/** What happens besides the fault, at the moment of the request. */
export type ChaosEvent =
  | 'nothing'
  | 'cancel'
  | 'second cancel'
  | 'terminate run'
  | 'terminate task'
  | 'terminate both'
  | 'kill command'
  | 'kill worker'
  /** The next worker comes after every budget of the run is over. */
  | 'kill worker for long'
  | 'kill server'
  /** That of a cluster; an embedded server has none that could die alone. */
  | 'kill database'
  | 'kill platform'
  | 'cut from server'
  /** The worker can't reach Temporal for longer than any of the run's budgets. */
  | 'worker away'
  /** A sweep from a copy of the home with its own Temporal server. */
  | 'twin sweeps'
  /** A sweep from another home that uses the same Temporal server. */
  | 'other home sweeps';

const userEvents = ['nothing', 'cancel', 'second cancel', 'terminate run', 'terminate task', 'terminate both'] as const;

/** Returns whether nothing acts for longer than any budget of the run; these cases use short budgets. */
export const isLongAbsence = (event: ChaosEvent | undefined): boolean =>
  event === 'worker away' || event === 'kill worker for long';

/** Events that need no process to be killed except the disturbed command. */
export function quickEvents(border: Border): readonly ChaosEvent[] {
  switch (border) {
    case 'platform':
      return [...userEvents, 'twin sweeps', 'other home sweeps'];
    case 'model':
      return userEvents;
    case 'worker':
      return [...userEvents, 'cut from server', 'worker away'];
    case 'client':
      return [...userEvents, 'cut from server', 'kill command'];
  }
}

/** Events that kill or disconnect the processes of a stack. */
export const killEvents = (): readonly ChaosEvent[] => [
  'kill worker',
  'kill worker for long',
  'kill server',
  'kill platform',
  'cut from server',
];

/** What can die in a cluster besides what can die in a stack of one machine. */
export const clusterEvents = (): readonly ChaosEvent[] => ['kill server', 'kill database'];

/** The points of one course in one setup. */
export interface Recording {
  readonly setup: Setup;
  readonly course: Course;
  readonly points: readonly Point[];
}

export interface ChaosCase {
  readonly id: string;
  readonly setup: Setup;
  readonly world: World;
  readonly course: Course;
  readonly point: Point;
  readonly fault: Fault;
  /** How many consecutive requests of that kind the fault applies to. The event comes with the first. */
  readonly times: 1 | 3;
  readonly event: ChaosEvent;
}

/** Returns all cases: each point of each course, in each of its worlds. */
export function allCases(
  recordings: readonly Recording[],
  options: {
    readonly eventsAt: (border: Border) => readonly ChaosEvent[];
    readonly worldsIn: (setup: Setup) => readonly World[];
  },
): ChaosCase[] {
  return recordings.flatMap(({ setup, course, points }) =>
    options
      .worldsIn(setup)
      .flatMap((world) =>
        points.flatMap((point) => casesAt({ setup, course, point, world }, options.eventsAt(point.border))),
      ),
  );
}

function casesAt(
  at: Pick<ChaosCase, 'setup' | 'course' | 'point' | 'world'>,
  events: readonly ChaosEvent[],
): ChaosCase[] {
  const { course, point, world } = at;
  return faultsAt(point).flatMap((fault) =>
    timesOf(fault, point).flatMap((times) =>
      events
        // In a world other than plain, a case without fault and event is worth running too.
        .filter((event) => event !== 'nothing' || fault.answer.kind !== 'pass' || world !== 'plain')
        .map((event) => {
          const what = `${fault.name}${times === 1 ? '' : ` x${times}`}`;
          const where = world === 'plain' ? [] : [world];
          return { ...at, id: [course.name, pointName(point), what, event, ...where].join(' | '), fault, times, event };
        }),
    ),
  );
}

/** Returns the courses that can have a case whose name contains all of these texts: only they need recording. Pure. */
export function coursesFor(texts: readonly string[]): readonly Omit<Recording, 'points'>[] {
  const borders = texts.flatMap((text) => /(?:^|\| )(platform|model|worker|client)(?: |$)/.exec(text)?.[1] ?? []);
  const courses = texts.flatMap((text) => /^(\w+) \|/.exec(text)?.[1] ?? []);
  return setupNames
    .filter((setup) => borders.every((border) => setups[setup].borders.some((own) => own === border)))
    .flatMap((setup) =>
      setups[setup].courses
        .filter(({ name }) => courses.every((wanted) => wanted === name))
        .map((course) => ({ setup, course })),
    );
}

/** Share of each setup in a sample. Most of what can go wrong happens at the platform's border. */
const shares: Readonly<Record<Setup, number>> = { library: 0.7, worker: 0.18, command: 0.12 };

/**
 * Chooses `count` cases by a seed. The choice depends on their names alone, so that parts of a sample can run on
 * different days and machines. Within a setup, every kind of (request, event) comes before one comes twice, and at
 * least half of the cases are in the plain world.
 */
export function sample(cases: readonly ChaosCase[], { count, seed }: { count: number; seed: number }): ChaosCase[] {
  const bySetup = setupNames.map((setup) => cases.filter((one) => one.setup === setup));
  const present = setupNames.filter((_, at) => (bySetup[at] ?? []).length > 0);
  const whole = present.reduce((sum, setup) => sum + shares[setup], 0);
  const chosen = setupNames.flatMap((setup, at) => {
    const wanted = Math.ceil((count * shares[setup]) / whole);
    const all = spread(bySetup[at] ?? [], seed);
    const unusual = all.filter(({ world }) => world !== 'plain').slice(0, Math.floor(wanted / 2));
    return [...all.filter(({ world }) => world === 'plain').slice(0, wanted - unusual.length), ...unusual];
  });
  return byKey(chosen, seed).slice(0, count);
}

function spread(cases: readonly ChaosCase[], seed: number): ChaosCase[] {
  const seen = new Map<string, number>();
  return byKey(cases, seed)
    .map((one, at) => {
      const kind = `${kindOf(one.point)} ${one.event}`;
      const round = seen.get(kind) ?? 0;
      seen.set(kind, round + 1);
      return { one, round, at };
    })
    .sort((a, b) => a.round - b.round || a.at - b.at)
    .map(({ one }) => one);
}

const byKey = (cases: readonly ChaosCase[], seed: number): ChaosCase[] =>
  cases
    .map((one) => ({ one, key: keyOf(one.id, seed) }))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ one }) => one);

const keyOf = (id: string, seed: number): string => createHash('sha256').update(`${seed} ${id}`).digest('hex');

/** Returns the `k`th of `n` parts of a sample. Pure. */
export const partOf = <T>(all: readonly T[], { k, n }: { readonly k: number; readonly n: number }): T[] =>
  all.filter((_, at) => at % n === k - 1);
