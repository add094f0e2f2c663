/** How many endpoints of its own a run creates, and how many it must have at the same time. Pure. */
import type { RunPlan, TaskPlan } from './plan';

type Planned = Pick<RunPlan, 'tasks' | 'sharedEndpoints' | 'startPolicy' | 'maxParallelEndpoints'>;

/** Whether the task creates an endpoint. */
export const needsEndpoint = ({ endpointName, earlier }: Pick<TaskPlan, 'endpointName' | 'earlier'>): boolean =>
  endpointName !== null && earlier?.use !== 'results';

/** Returns how many shared endpoints the run creates. */
export const sharedEndpointsOf = ({ sharedEndpoints = [] }: Pick<RunPlan, 'sharedEndpoints'>): number =>
  sharedEndpoints.filter(({ endpointName }) => endpointName !== null).length;

/** Returns the endpoints that the tasks of each wave create; `width`: tasks of a wave. */
export function wavesOf(tasks: Planned['tasks'], width: number): readonly number[] {
  const waves = Array.from({ length: Math.ceil(tasks.length / Math.max(1, width)) }, (_, wave) =>
    tasks.slice(wave * width, (wave + 1) * width),
  );
  return waves.map((wave) => wave.filter(needsEndpoint).length);
}

/**
 * Returns how many endpoints the run can only use together: those that tasks share and, with a barrier, those of a wave's tasks,
 * which are all there before the first job begins; else one task's.
 */
export function endpointsTogether(plan: Planned): number {
  const { tasks, startPolicy, maxParallelEndpoints } = plan;
  const own = Math.max(0, ...wavesOf(tasks, maxParallelEndpoints ?? tasks.length));
  return sharedEndpointsOf(plan) + (startPolicy === 'all_ready' ? own : Math.min(1, own));
}
