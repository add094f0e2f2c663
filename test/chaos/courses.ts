import type { TaskOutcome } from '../../src/contract/state';
import type { SimulatedPlan } from '../support/simulated';
import type { Border } from './ledger';

/** Ways in which a run goes when nothing disturbs it: each has a request log of its own to disturb. */
export interface Course {
  readonly name: CourseName;
  /** Names decide how the simulated platform treats a task's endpoint and job (see `simulatedPlan`). */
  readonly tasks: readonly string[];
  readonly outcomes: readonly TaskOutcome[];
  /** Cancelled once that many jobs run; what comes after is what is disturbed. */
  readonly cancelAfterJobs?: number;
  readonly startPolicy: 'all_ready' | 'as_ready';
  /** Uses an endpoint of the user's own, which no run may touch. */
  readonly existingEndpoint?: true;
}

export type CourseName = 'success' | 'cancelled' | 'failing' | 'existing';

const success = {
  name: 'success',
  tasks: ['hellaswag', 'arc_challenge'],
  outcomes: ['succeeded', 'succeeded'],
  startPolicy: 'all_ready',
} as const satisfies Course;

const cancelled: Course = {
  name: 'cancelled',
  tasks: ['gsm8k', 'agieval'],
  outcomes: ['cancelled', 'cancelled'],
  cancelAfterJobs: 2,
  startPolicy: 'all_ready',
};

const failing: Course = {
  name: 'failing',
  tasks: ['hellaswag', 'piqa', 'openbookqa'],
  outcomes: ['succeeded', 'failed', 'failed'],
  startPolicy: 'as_ready',
};

const existing: Course = { ...success, name: 'existing', existingEndpoint: true };

/**
 * Who starts the run, and whose way to Temporal is disturbed. `library`: the library starts it, a worker that all cases
 * share does it, and the platform is where it is disturbed. `worker`: the case has a worker of its own, disturbed on its way to
 * Temporal. `command`: the real command starts, attaches and cancels, disturbed on its way to Temporal.
 */
export type Setup = 'library' | 'worker' | 'command';

/** What is recorded, and where it is disturbed. */
export const setups: Readonly<
  Record<Setup, { readonly courses: readonly Course[]; readonly borders: readonly Border[] }>
> = {
  library: { courses: [success, cancelled, failing, existing], borders: ['platform', 'model'] },
  worker: { courses: [success, cancelled, failing], borders: ['worker'] },
  command: { courses: [success, cancelled, failing], borders: ['client'] },
};

export const setupNames: readonly Setup[] = ['library', 'worker', 'command'];

/** One plan for all courses, so that runs of several can share a platform. */
export const simulatedPlan: SimulatedPlan = {
  endpoints: {
    default: { states: [['Starting', '300ms'], ['Ready']], deleting: '200ms' },
    match: [{ name: '*piqa*', states: [['Starting', '300ms'], ['Error']], message: 'image pull failed' }],
  },
  jobs: {
    default: { states: [['Queueing', '100ms'], ['Running', '400ms'], ['Completed']] },
    match: [
      ...['*gsm8k*', '*agieval*'].map((name) => ({
        name,
        states: [['Queueing', '100ms'], ['Running', '1h'], ['Completed']],
      })),
      { name: '*openbook*', states: [['Running', '300ms'], ['Failed']], log: 'CUDA out of memory' },
    ],
  },
};
