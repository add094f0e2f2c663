import { sharedModelOf } from '../../contract/parts';
import type { RunPlan, TaskPlan } from '../../contract/plan';

/** Where `execution.release_endpoint` has an effect. Pure. */

/** When the task's endpoint is deleted; an existing one never is. */
export const releaseOf = (task: TaskPlan): 'after_last_request' | 'after_job' | 'never' | 'when no task uses it' => {
  if (task.job.tellsLastRequest) return 'after_last_request';
  if (sharedModelOf(task) !== undefined) return 'when no task uses it';
  return task.endpointName === null ? 'never' : 'after_job';
};

/** Returns what a user should know of the tasks whose endpoints stay until their jobs end; `undefined`: there are none. */
export function withoutRelease({
  releaseEndpoint,
  tasks,
}: Pick<RunPlan, 'releaseEndpoint' | 'tasks'>): string | undefined {
  if (releaseEndpoint === undefined) return undefined;
  const others = tasks.filter((task) => task.earlier?.use !== 'results' && !task.job.tellsLastRequest);
  const reasons = new Set(others.map(reasonOf));
  if (reasons.size === 0) return undefined;
  const why = [...reasons].join('; ');
  if (others.length === tasks.length) return `execution.release_endpoint has no effect: ${why}`;
  const named = others.slice(0, 3).map(({ name }) => name);
  const more = others.length > named.length ? ` and ${others.length - named.length} more` : '';
  return `execution.release_endpoint has no effect on ${named.join(', ')}${more}: ${why}`;
}

function reasonOf(task: TaskPlan): string {
  switch (releaseOf(task)) {
    case 'never':
      return 'an existing endpoint is never deleted';
    case 'when no task uses it':
      return 'a shared endpoint is deleted when the last job that uses it has ended';
    default:
      return 'only lm-evaluation-harness tells when it has made its last request to an endpoint of its own';
  }
}
