/** The parts of a run, each with a workflow and resources of its own: its tasks, and its shared endpoints. Pure. */
import { indexText, sharedIndex } from './identity';
import type { EndpointUse, JobSpec, RunPlan, SharedEndpointPlan, TaskPlan } from './plan';
import type { TaskSnapshot } from './state';

/** Returns the indices of all parts; without a plan, none. */
export const partIndices = (plan: Pick<RunPlan, 'tasks' | 'sharedEndpoints'> | undefined): readonly number[] =>
  plan === undefined
    ? []
    : [
        ...plan.tasks.map(({ index }) => index),
        ...(plan.sharedEndpoints ?? []).map((_, position) => sharedIndex(position)),
      ];

const noJob: JobSpec = { container: { image: '' }, envs: [], mounts: [], nodeGroup: null, body: {} };

/** Returns a shared endpoint as a task that has no job, so that it can be treated as every other one. */
export const asTask = (
  { name, endpointName, folder, endpointPerHour }: SharedEndpointPlan,
  position: number,
): TaskPlan => ({
  ...(endpointPerHour === undefined ? {} : { endpointPerHour }),
  index: sharedIndex(position),
  name,
  task: name,
  endpointName,
  jobName: '',
  endpointPath: '',
  folder,
  job: noJob,
});

/** Returns how a task uses the shared endpoint that serves its model; `undefined`: it has its own, or an existing one. */
export const sharedModelOf = ({ uses }: Pick<TaskPlan, 'uses'>): EndpointUse | undefined =>
  uses?.find(({ servesModel }) => servesModel !== undefined);

/** Returns the plan's shared endpoints in that form. */
export const sharedAsTasks = ({ sharedEndpoints = [] }: Pick<RunPlan, 'sharedEndpoints'>): readonly TaskPlan[] =>
  sharedEndpoints.map(asTask);

/** Returns `task 3 (hellaswag)`, or `endpoint e0 (judge)`. */
export const partText = ({ index, name }: Pick<TaskSnapshot, 'index' | 'name'>): string =>
  `${index < 0 ? 'endpoint' : 'task'} ${indexText(index)} (${name})`;
