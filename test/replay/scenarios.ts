import { batchWorkflowId, runWorkflowId, taskWorkflowId } from '../../src/contract/identity';
import { cancel, endless, neverReady, one, terminate, two, when, whenAsked, type Course } from './course';
import { recordedLast, recordedLastInBatches, recordedOfSharing, recordedWithIt } from './latest-courses';

const budget = { limit: 0.001, currency: 'USD', endpointPerHour: 2, jobPerHour: 0.5 };

const recordedFirst: readonly Course[] = [
  { name: 'success-all-ready', platform: {}, plan: { tasks: two } },
  {
    name: 'success-as-ready-window',
    platform: {},
    plan: { tasks: [...two, 'winogrande'], change: { startPolicy: 'as_ready', maxParallelEndpoints: 2 } },
  },
  {
    name: 'endpoint-error',
    platform: {
      endpoints: {
        default: { states: [['Starting', '100ms'], ['Ready']] },
        match: [{ name: '*arc*', states: [['Starting', '200ms'], ['Error']], message: 'image pull failed' }],
      },
    },
    plan: { tasks: two },
  },
  {
    name: 'abort-on-failure',
    platform: {
      endpoints: {
        default: { states: [['Starting', '10s'], ['Ready']] },
        match: [{ name: '*arc*', states: [['Starting', '200ms'], ['Error']], message: 'no such image' }],
      },
    },
    plan: { tasks: two, change: { onTaskFailure: 'abort' } },
  },
  {
    name: 'readiness-timeout',
    platform: { endpoints: neverReady },
    plan: { tasks: one, limits: { endpointReadySeconds: 2 } },
  },
  { name: 'job-timeout', platform: { jobs: endless }, plan: { tasks: one, limits: { jobSeconds: 2 } } },
  {
    name: 'job-failed',
    platform: { jobs: { default: { states: [['Running', '300ms'], ['Failed']], log: 'CUDA out of memory' } } },
    plan: { tasks: one },
  },
  {
    name: 'create-refused',
    platform: { faults: [{ on: 'POST /deployments', times: 'inf', respond: 422 }] },
    plan: { tasks: one },
  },
  {
    name: 'create-answer-lost',
    platform: { faults: [{ on: 'POST /deployments', times: 1, respond: 'drop', apply: true }] },
    plan: { tasks: one },
  },
  {
    name: 'cancel-while-waiting',
    platform: { endpoints: neverReady },
    plan: { tasks: two },
    meanwhile: when('awaiting ready', cancel),
  },
  {
    name: 'cancel-while-running',
    platform: { jobs: endless },
    plan: { tasks: two },
    meanwhile: when('running job', cancel),
  },
  {
    name: 'task-terminated',
    platform: { jobs: endless },
    plan: { tasks: one },
    meanwhile: when(
      'running job',
      terminate(({ invocation }) => taskWorkflowId(invocation, 0)),
    ),
  },
  {
    name: 'run-terminated',
    platform: { jobs: endless },
    plan: { tasks: one },
    meanwhile: when(
      'running job',
      terminate(({ invocation }) => runWorkflowId(invocation)),
    ),
  },
  { name: 'max-run-time', platform: { jobs: endless }, plan: { tasks: one, limits: { runSeconds: 3 } } },
  { name: 'budget-exceeded', platform: { jobs: endless }, plan: { tasks: one, change: { budget } } },
  {
    name: 'teardown-incomplete',
    platform: { faults: [{ on: 'DELETE /deployments/*', times: 'inf', respond: 403 }] },
    plan: { tasks: one },
  },
  { name: 'success-waves', platform: {}, plan: { tasks: two, change: { maxParallelEndpoints: 1 } } },
  { name: 'existing-endpoint', platform: {}, plan: { tasks: two }, endpoint: 'existing' },
  {
    name: 'job-answer-lost',
    platform: { faults: [{ on: 'POST /jobs', times: 1, respond: 'drop', apply: true }] },
    plan: { tasks: one },
  },
  {
    name: 'results-missing',
    platform: { jobs: { default: { states: [['Running', '300ms'], ['Completed']], results: false } } },
    plan: { tasks: one },
  },
  {
    name: 'endpoint-lost-during-job',
    platform: {
      endpoints: { default: { states: [['Ready', '3s'], ['Error']], message: 'CUDA error: uncorrectable ECC' } },
      jobs: endless,
    },
    plan: { tasks: one },
  },
  {
    name: 'cancel-while-creating',
    platform: { faults: [{ on: 'POST /deployments', times: 'inf', delay: '1s' }] },
    plan: { tasks: one },
    meanwhile: whenAsked('POST', /^\/deployments$/, cancel),
  },
  {
    name: 'cancel-while-submitting',
    platform: { faults: [{ on: 'POST /jobs', times: 'inf', delay: '1s' }] },
    plan: { tasks: one },
    meanwhile: whenAsked('POST', /^\/jobs$/, cancel),
  },
  {
    name: 'cancel-while-fetching',
    platform: { faults: [{ on: 'GET /storage/**', times: 'inf', delay: '300ms' }] },
    plan: { tasks: one },
    meanwhile: whenAsked('GET', /results\.yml/, cancel),
  },
  {
    name: 'cancel-while-tearing-down',
    platform: { endpoints: { default: { states: [['Starting', '100ms'], ['Ready']], deleting: '3s' } }, jobs: endless },
    plan: { tasks: one },
    meanwhile: async (scenario, plan) => {
      await when('running job', cancel)(scenario, plan);
      await whenAsked('DELETE', /^\/deployments\//, cancel)(scenario, plan);
    },
  },
  {
    name: 'task-cancelled',
    platform: { jobs: endless },
    plan: { tasks: one },
    meanwhile: when('running job', (scenario, plan) =>
      scenario.client.workflow.getHandle(taskWorkflowId(plan.invocation, 0)).cancel(),
    ),
  },
  {
    name: 'both-terminated',
    platform: { jobs: endless },
    plan: { tasks: one },
    swept: true,
    meanwhile: when('running job', async (scenario, plan) => {
      await terminate(({ invocation }) => taskWorkflowId(invocation, 0))(scenario, plan);
      await terminate(({ invocation }) => runWorkflowId(invocation))(scenario, plan);
    }),
  },
  { name: 'storage-kept', platform: {}, plan: { tasks: one, change: { keepStorage: true } } },
];

/** Recorded once more with the code of 2026-11-28, whose tasks take fewer steps and whose runs close differently. */
const recordedAgain = [
  'success-all-ready',
  'success-as-ready-window',
  'endpoint-error',
  'abort-on-failure',
  'job-failed',
  'job-timeout',
  'create-refused',
  'create-answer-lost',
  'job-answer-lost',
  'existing-endpoint',
  'endpoint-lost-during-job',
  'results-missing',
  'storage-kept',
  'cancel-while-running',
  'cancel-while-fetching',
  'cancel-while-tearing-down',
  'run-terminated',
  'both-terminated',
  'teardown-incomplete',
];

/** Recorded a third time later on that day: activities tell the run of the tasks' progress. */
const recordedQuiet = [
  'success-all-ready',
  'success-as-ready-window',
  'endpoint-error',
  'job-failed',
  'job-answer-lost',
  'create-answer-lost',
  'cancel-while-running',
  'run-terminated',
  'teardown-incomplete',
];

/** Of that build, too. */
const recordedInBatches: readonly Course[] = [
  { name: 'batch-success', platform: {}, plan: { tasks: two } },
  {
    name: 'batch-waves',
    platform: {},
    plan: { tasks: [...two, 'winogrande'], change: { maxParallelEndpoints: 2 } },
  },
  {
    name: 'batch-window',
    platform: {},
    plan: { tasks: [...two, 'winogrande'], change: { startPolicy: 'as_ready', maxParallelEndpoints: 2 } },
  },
  { name: 'batch-cancel', platform: { jobs: endless }, plan: { tasks: two }, meanwhile: when('running job', cancel) },
  {
    name: 'batch-terminated',
    platform: { jobs: endless },
    plan: { tasks: one },
    meanwhile: when(
      'running job',
      terminate(({ invocation }) => batchWorkflowId(invocation, 0)),
    ),
  },
  {
    name: 'batch-task-terminated',
    platform: { jobs: endless },
    plan: { tasks: one },
    meanwhile: when(
      'running job',
      terminate(({ invocation }) => taskWorkflowId(invocation, 0)),
    ),
  },
];

const again = (courses: readonly Course[], names: readonly string[], suffix: string): readonly Course[] =>
  courses.filter(({ name }) => names.includes(name)).map((course) => ({ ...course, name: `${course.name}${suffix}` }));

const inBatches = recordedInBatches.map((course) => ({ ...course, isBatched: true as const }));

/** The file names of the histories are made of these names: renaming one means recording anew. */
export const courses: readonly Course[] = [
  ...recordedFirst,
  ...again(recordedFirst, recordedAgain, '-2'),
  ...again(recordedFirst, recordedQuiet, '-3'),
  ...inBatches,
  ...again(recordedFirst, recordedLast, '-4'),
  ...again(inBatches, recordedLastInBatches, '-2'),
  ...recordedWithIt,
  ...recordedOfSharing,
];
