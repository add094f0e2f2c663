import type { TaskOutcome } from '../../src/contract/state';
import type { SimulatedPlan } from '../support/simulated';
import type { Border } from './ledger';

/** The course of an undisturbed run. The requests of each course are the points at which it can be disturbed. */
export interface Course {
  readonly name: CourseName;
  /** Names determine how the simulated platform treats a task's endpoint and job (see `simulatedPlan`). */
  readonly tasks: readonly string[];
  readonly outcomes: readonly TaskOutcome[];
  /** The run is cancelled once this many jobs run; it is disturbed only from then on. */
  readonly cancelAfterJobs?: number;
  readonly startPolicy: 'all_ready' | 'as_ready';
  /** Uses the user's own endpoint, which no run may touch. */
  readonly existingEndpoint?: true;
  /** Has an endpoint that all tasks use: a judge beside their own, or the only one that serves the model. */
  readonly shared?: 'judge' | 'model';
  /** Jobs of each task, of which all but the last are ended from outside. Default: one each. */
  readonly jobs?: readonly number[];
  /** Endpoints of each task, of which all but the last are released before their jobs are ended from outside. Default: one each. */
  readonly endpoints?: readonly number[];
  /** Jobs start while their endpoints load. */
  readonly early?: true;
  /** Endpoints go after the last request, while their jobs still run. */
  readonly releases?: true;
  /** Jobs pack no archive of their results, so that files are fetched one by one. A command's own plan always has them packed. */
  readonly unpacked?: true;
}

export type CourseName =
  'success' | 'cancelled' | 'failing' | 'existing' | 'judged' | 'shared' | 'retried' | 'early' | 'released' | 'renewed';

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

const existing: Course = { ...success, name: 'existing', existingEndpoint: true, unpacked: true };

const judged: Course = { ...success, name: 'judged', shared: 'judge' };

const shared: Course = { ...success, name: 'shared', shared: 'model', startPolicy: 'as_ready', unpacked: true };

const retried: Course = { ...success, name: 'retried', tasks: ['winogrande', 'commonsense_qa'], jobs: [2, 2] };

const early: Course = {
  ...success,
  name: 'early',
  tasks: ['early-one', 'early-two'],
  early: true,
  startPolicy: 'as_ready',
};

const released: Course = {
  ...success,
  name: 'released',
  tasks: ['released-one', 'released-two'],
  releases: true,
  startPolicy: 'as_ready',
};

const renewed: Course = {
  ...success,
  name: 'renewed',
  tasks: ['renewed'],
  outcomes: ['succeeded'],
  jobs: [2],
  endpoints: [2],
  releases: true,
  startPolicy: 'as_ready',
};

/**
 * What starts the run, and which connection is disturbed. `library`: the library starts it, a worker shared by all
 * cases runs it, and requests to the platform are disturbed. `worker`: the case has its own worker, whose connection to
 * Temporal is disturbed. `command`: the real command starts, attaches and cancels; its connection to Temporal is
 * disturbed.
 */
export type Setup = 'library' | 'worker' | 'command';

/** Courses and disturbed borders of each setup. */
export const setups: Readonly<
  Record<Setup, { readonly courses: readonly Course[]; readonly borders: readonly Border[] }>
> = {
  library: {
    courses: [success, cancelled, failing, existing, judged, shared, retried, early, released, renewed],
    borders: ['platform', 'model'],
  },
  worker: { courses: [success, cancelled, failing, judged, retried, released], borders: ['worker'] },
  command: { courses: [success, cancelled, failing, shared, retried], borders: ['client'] },
};

export const setupNames: readonly Setup[] = ['library', 'worker', 'command'];

const briefJob = [['Queueing', '100ms'], ['Running', '400ms'], ['Completed']];
/** Longer than an endpoint takes to be Ready. */
const longerJob = [['Queueing', '100ms'], ['Running', '2s'], ['Completed']];

/** Its endpoint is released some seconds before it ends. */
const releasedJob = [['Queueing', '100ms'], ['Running', '8s'], ['Completed']];

/** One plan for all courses, so that runs of different courses can share a platform. */
export const simulatedPlan: SimulatedPlan = {
  endpoints: {
    default: { states: [['Starting', '300ms'], ['Ready']], deleting: '200ms' },
    match: [{ name: '*piqa*', states: [['Starting', '300ms'], ['Error']], message: 'image pull failed' }],
  },
  jobs: {
    default: { states: briefJob },
    match: [
      ...['*gsm8k*', '*agieval*'].map((name) => ({
        name,
        states: [['Queueing', '100ms'], ['Running', '1h'], ['Completed']],
      })),
      { name: '*openbook*', states: [['Running', '300ms'], ['Failed']], log: 'CUDA out of memory' },
      // Names of second jobs end with their number; cases may share a platform, so that jobs can't be counted.
      { name: '*renewed*-2', states: releasedJob, answered: '800ms' },
      {
        name: '*renewed*',
        states: releasedJob,
        answered: '800ms',
        ended: { by: 'node loss', after: '7s', times: 'inf' },
      },
      ...['*winogrande*-2', '*commonsense*-2'].map((name) => ({ name, states: briefJob })),
      { name: '*winogrande*', states: longerJob, ended: { by: 'node loss', after: '200ms', times: 'inf' } },
      { name: '*commonsense*', states: longerJob, ended: { by: 'preemption', after: '200ms', times: 'inf' } },
      { name: '*early*', states: longerJob },
      { name: '*released*', states: releasedJob, answered: '800ms' },
    ],
  },
};
