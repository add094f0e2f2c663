import { withSettings } from './attempt';
import type { ActivityDependencies } from './dependencies';
import { createEndpointActivities } from './endpoints';
import { createJobActivities } from './jobs';
import { createLogActivities } from './logs';
import { createResultActivities } from './results';
import { createSweepActivities } from './sweep';
import { createWatchActivities } from './watch';
import { withTextsFitForHistory } from './wording';

/** Creates all activities that workflows use. */
export function createActivities(dependencies: ActivityDependencies) {
  const activities = {
    ...createEndpointActivities(dependencies),
    ...createWatchActivities(dependencies),
    ...createJobActivities(dependencies),
    ...createLogActivities(dependencies),
    ...createResultActivities(dependencies),
    ...createSweepActivities(dependencies),
  };
  return withSettings(withTextsFitForHistory(activities, dependencies), dependencies);
}

export type Activities = ReturnType<typeof createActivities>;
