import type { EndpointPlan, RunPlan, TaskPlan } from './plan';

/** The endpoints of a run whose tasks have different ones. Pure. */

/** Returns the endpoint of a task. */
export const endpointOf = (run: Pick<RunPlan, 'endpoint'>, task: Pick<TaskPlan, 'endpoint'>): EndpointPlan =>
  task.endpoint ?? run.endpoint;

/** Returns the run as the task sees it: with the task's own endpoint. */
export function runOf<T extends Pick<RunPlan, 'endpoint'>>(run: T, task: Pick<TaskPlan, 'endpoint'>): T {
  return task.endpoint === undefined ? run : { ...run, endpoint: task.endpoint };
}

/** Returns the task as its workflow gets it: `run` has its endpoint already. */
export function withoutEndpoint(task: TaskPlan): TaskPlan {
  if (task.endpoint === undefined) return task;
  const entries = Object.entries(task).filter(([key]) => key !== 'endpoint');
  return Object.fromEntries(entries) as unknown as TaskPlan;
}

/** Returns each distinct endpoint of a run with the tasks that have it. */
export function endpointsOf(
  run: Pick<RunPlan, 'endpoint' | 'tasks'>,
): readonly { readonly endpoint: EndpointPlan; readonly tasks: readonly TaskPlan[] }[] {
  const known = new Map<string, { endpoint: EndpointPlan; tasks: TaskPlan[] }>();
  for (const task of run.tasks) {
    const key = task.endpoint === undefined ? '' : JSON.stringify(task.endpoint);
    const group = known.get(key) ?? { endpoint: endpointOf(run, task), tasks: [] };
    group.tasks.push(task);
    known.set(key, group);
  }
  return [...known.values()];
}
