import type { ActivityDependencies } from './dependencies';
import { createEndpointActivities } from './endpoints';
import { createJobActivities } from './jobs';
import { createResultActivities } from './results';
import { createSweepActivities } from './sweep';

/** Everything a workflow may have done for it. */
export function createActivities(dependencies: ActivityDependencies) {
  return {
    ...createEndpointActivities(dependencies),
    ...createJobActivities(dependencies),
    ...createResultActivities(dependencies),
    ...createSweepActivities(dependencies),
  };
}

export type Activities = ReturnType<typeof createActivities>;
