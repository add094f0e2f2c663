import type { TaskOutcome } from '../../src/contract/state';
import type { SimulatedPlan } from '../support/simulated';

/** Ways in which a run goes when nothing disturbs it: each has a request log of its own to disturb. */
export interface Course {
  readonly name: CourseName;
  /** Names decide how the simulated platform treats a task's endpoint and job (see `simulatedPlan`). */
  readonly tasks: readonly string[];
  readonly outcomes: readonly TaskOutcome[];
  /** Cancelled once that many jobs run; what comes after is what is disturbed. */
  readonly cancelAfterJobs?: number;
  readonly startPolicy: 'all_ready' | 'as_ready';
}

export type CourseName = 'success' | 'cancelled' | 'failing';

export const courses: readonly Course[] = [
  {
    name: 'success',
    tasks: ['hellaswag', 'arc_challenge', 'winogrande'],
    outcomes: ['succeeded', 'succeeded', 'succeeded'],
    startPolicy: 'all_ready',
  },
  {
    name: 'cancelled',
    tasks: ['slow_one', 'slow_two', 'slow_three'],
    outcomes: ['cancelled', 'cancelled', 'cancelled'],
    cancelAfterJobs: 3,
    startPolicy: 'all_ready',
  },
  {
    name: 'failing',
    tasks: ['hellaswag', 'broken', 'crash'],
    outcomes: ['succeeded', 'failed', 'failed'],
    startPolicy: 'as_ready',
  },
];

export const courseOf = (name: CourseName): Course => {
  const found = courses.find((course) => course.name === name);
  if (!found) throw new Error(`there is no course ${name}`);
  return found;
};

/** One plan for all courses, so that runs of several can share a platform. */
export const simulatedPlan: SimulatedPlan = {
  endpoints: {
    default: { states: [['Starting', '300ms'], ['Ready']], deleting: '200ms' },
    match: [{ name: '*broken*', states: [['Starting', '300ms'], ['Error']], message: 'image pull failed' }],
  },
  jobs: {
    default: { states: [['Queueing', '100ms'], ['Running', '500ms'], ['Completed']] },
    match: [
      { name: '*slow*', states: [['Queueing', '100ms'], ['Running', '1h'], ['Completed']] },
      { name: '*crash*', states: [['Running', '300ms'], ['Failed']], log: 'CUDA out of memory' },
    ],
  },
};
