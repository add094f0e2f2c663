/** Which shared endpoints a retry creates: those of tasks that it runs. Pure. */
import type { EndpointUse, RunPlan, SharedEndpointPlan, TaskPlan } from '../contract/plan';

type Sharing = Pick<RunPlan, 'tasks' | 'sharedEndpoints'>;

/** Returns tasks and shared endpoints of a plan with those that it spared, so that every task has what it would use. */
export function withSpared({ tasks, sharedEndpoints = [] }: Sharing): Sharing {
  const shared = [...sharedEndpoints];
  const texts = shared.map((endpoint) => JSON.stringify(endpoint));
  const positionOf = (endpoint: SharedEndpointPlan): number => {
    const text = JSON.stringify(endpoint);
    const known = texts.indexOf(text);
    if (known !== -1) return known;
    shared.push(endpoint);
    return texts.push(text) - 1;
  };
  const whole = tasks.map(({ spared = [], ...task }): TaskPlan => {
    const again = spared.map(({ endpoint, use }) => ({ ...use, endpoint: positionOf(endpoint) }));
    return withUses(task, [...(task.uses ?? []), ...again]);
  });
  return { tasks: whole, ...sharedIn(shared) };
}

/**
 * Takes out the shared endpoints that only tasks use which are taken over: they would cost money for nothing. Those tasks keep them in
 * mind, for a retry that has to run them after all. Names stay as they are: none comes twice.
 */
export function withoutUnneeded({ tasks, sharedEndpoints = [] }: Sharing): Sharing {
  const running = tasks.filter(({ earlier }) => earlier?.use !== 'results');
  const needed = new Set(running.flatMap(({ uses = [] }) => uses.map(({ endpoint }) => endpoint)));
  const positions = [...sharedEndpoints.keys()].filter((position) => needed.has(position));
  const places = new Map(positions.map((position, place) => [position, place] as const));
  const kept = tasks.map((task): TaskPlan => {
    const { uses = [] } = task;
    const still = uses.flatMap((use) => {
      const place = places.get(use.endpoint);
      return place === undefined ? [] : [{ ...use, endpoint: place }];
    });
    const spared = uses.flatMap((use) => {
      const endpoint = places.has(use.endpoint) ? undefined : sharedEndpoints[use.endpoint];
      return endpoint === undefined ? [] : [{ endpoint, use }];
    });
    return { ...withUses(task, still), ...(spared.length === 0 ? {} : { spared }) };
  });
  return { tasks: kept, ...sharedIn(sharedEndpoints.filter((_, position) => needed.has(position))) };
}

function withUses({ uses: _, ...task }: TaskPlan, uses: readonly EndpointUse[]): TaskPlan {
  return uses.length === 0 ? task : { ...task, uses };
}

const sharedIn = (endpoints: readonly SharedEndpointPlan[]): Pick<RunPlan, 'sharedEndpoints'> =>
  endpoints.length === 0 ? {} : { sharedEndpoints: endpoints };
