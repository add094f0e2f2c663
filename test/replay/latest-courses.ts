import { tasksPerBatch } from '../../src/contract/identity';
import type { RunPlan } from '../../src/contract/plan';
import { withEarlyRelease, withJudge, withPool } from '../support/plans';
import { cancel, endless, one, two, when, type Course } from './course';

/** Recorded again at the end of that day: results stay in batches, endpoints that are Ready are told together, runs end differently. */
export const recordedLast = [
  'success-all-ready',
  'success-as-ready-window',
  'job-failed',
  'job-answer-lost',
  'endpoint-lost-during-job',
  'cancel-while-running',
  'cancel-while-fetching',
  'run-terminated',
  'teardown-incomplete',
  'storage-kept',
];
export const recordedLastInBatches = [
  'batch-success',
  'batch-waves',
  'batch-window',
  'batch-cancel',
  'batch-terminated',
];

/** What that build could do for the first time. */
export const recordedWithIt: readonly Course[] = [
  {
    name: 'released',
    platform: { jobs: { default: { states: [['Running', '8s'], ['Completed']], answered: '1s' } } },
    plan: { tasks: one },
    adapt: withEarlyRelease,
  },
  {
    name: 'retried',
    platform: {
      jobs: {
        default: { states: [['Running', '1s'], ['Completed']], ended: { by: 'preemption', after: '300ms', times: 1 } },
      },
    },
    plan: { tasks: one, limits: { jobRetries: 2 } },
  },
  {
    name: 'retried-in-vain',
    platform: {
      jobs: {
        default: {
          states: [['Running', '1s'], ['Completed']],
          ended: { by: 'node loss', after: '300ms', times: 'inf' },
        },
      },
    },
    plan: { tasks: one, limits: { jobRetries: 1 } },
  },
  {
    name: 'early',
    platform: {
      endpoints: { default: { states: [['Starting', '2s'], ['Ready']] } },
      jobs: { default: { states: [['Running', '4s'], ['Completed']] } },
    },
    plan: { tasks: one, change: { startPolicy: 'as_ready', startJobsEarly: true } },
  },
  {
    name: 'early-endpoint-error',
    platform: {
      endpoints: { default: { states: [['Starting', '2s'], ['Error']], message: 'image pull failed' } },
      jobs: endless,
    },
    plan: { tasks: one, change: { startPolicy: 'as_ready', startJobsEarly: true } },
  },
  { name: 'judged', platform: {}, plan: { tasks: two }, adapt: withJudge },
  {
    name: 'judged-cancel',
    platform: { jobs: endless },
    plan: { tasks: one },
    adapt: withJudge,
    meanwhile: when('running job', cancel),
  },
  {
    name: 'judge-lost',
    platform: {
      endpoints: {
        default: { states: [['Starting', '100ms'], ['Ready']] },
        match: [{ name: '*judge*', states: [['Ready', '3s'], ['Error']], message: 'CUDA error' }],
      },
      jobs: endless,
    },
    plan: { tasks: one },
    adapt: withJudge,
  },
  { name: 'batch-judged', platform: {}, plan: { tasks: two }, adapt: withJudge, isBatched: true },
  {
    name: 'limited-waves',
    platform: {},
    plan: { tasks: [...two, 'winogrande'], change: { maxParallelEndpoints: 2 } },
    maxEndpoints: 2,
  },
  {
    name: 'limited-window',
    platform: {},
    plan: { tasks: [...two, 'winogrande'], change: { startPolicy: 'as_ready' } },
    maxEndpoints: 2,
  },
  {
    name: 'limited-batch-window',
    platform: {},
    plan: { tasks: [...two, 'winogrande'], change: { startPolicy: 'as_ready' } },
    maxEndpoints: 2,
    isBatched: true,
  },
  {
    name: 'batches-paced',
    platform: {},
    plan: { tasks: Array.from({ length: tasksPerBatch + 1 }, (_, index) => `task-${index}`) },
    isBatched: true,
    savesRunOnly: true,
  },
];

/** Only the first task asks the judge. */
function withJudgeOfFirst(plan: RunPlan): RunPlan {
  const { tasks, ...judged } = withJudge(plan);
  return { ...judged, tasks: plan.tasks.map((task) => (task.index === 0 ? (tasks[0] ?? task) : task)) };
}

/** Of shared endpoints that load in vain, or outlive a job. */
export const recordedOfSharing: readonly Course[] = [
  {
    name: 'judge-unneeded',
    platform: {
      endpoints: {
        default: { states: [['Starting', '200ms'], ['Ready']] },
        match: [{ name: '*judge*', states: [['Starting', '1h'], ['Ready']] }],
      },
      faults: [{ on: 'POST /deployments', name: '*-hellaswag-*', times: 'inf', respond: 422 }],
    },
    plan: { tasks: two },
    adapt: withJudgeOfFirst,
  },
  {
    name: 'shared-retried',
    platform: {
      jobs: {
        default: { states: [['Running', '1s'], ['Completed']], ended: { by: 'preemption', after: '300ms', times: 1 } },
      },
    },
    plan: { tasks: one, limits: { jobRetries: 2 } },
    adapt: (plan) => withPool(plan, 1),
  },
];
