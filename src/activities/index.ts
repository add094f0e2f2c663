import type { NamedEndpoint } from '../contract/inputs/endpoint';
import { withSettings } from './attempt';
import type { ActivityDependencies } from './dependencies';
import { createEarlierTaskActivities } from './earlier-tasks';
import { createEndpointActivities } from './endpoints';
import { createExportActivities } from './exports';
import { createJobActivities } from './jobs';
import { createLogActivities } from './logs';
import { createPreflightActivities } from './preflight';
import { createQuotaActivities } from './quota';
import { createMergedActivities } from './merged';
import { seeGone } from './release';
import { createResultActivities } from './results';
import { createRunRecording } from './run-recording';
import { createStorageRemoval } from './storage-removal';
import { createSweepActivities } from './sweep';
import { tellEndpointGone, withTelling } from './telling';
import { createWatchActivities, EndpointHealth } from './watch';
import { withTextsFitForHistory } from './wording';

/** Creates all activities that workflows use. */
export function createActivities(dependencies: ActivityDependencies) {
  const health = new EndpointHealth(dependencies);
  const endpoints = createEndpointActivities(dependencies);
  const jobs = createJobActivities(dependencies, health);
  const logs = createLogActivities(dependencies);
  const { readResults, ...results } = createResultActivities(dependencies);
  const removal = createStorageRemoval(dependencies);
  const seesGone = async (endpoint: NamedEndpoint, signal: AbortSignal): Promise<string | undefined> => {
    const platform = await dependencies.platform(endpoint.platform).catch(() => undefined);
    return platform && (await seeGone(platform, endpoint, signal)) ? tellEndpointGone() : undefined;
  };
  const activities = {
    ...createPreflightActivities(dependencies),
    ...createQuotaActivities(dependencies),
    ...endpoints,
    ...createWatchActivities(dependencies, health),
    ...jobs,
    ...logs,
    ...results,
    ...removal,
    ...createRunRecording(dependencies),
    ...createExportActivities(dependencies),
    ...createEarlierTaskActivities(dependencies, readResults),
    ...createMergedActivities({ endpoints, jobs, logs, results, removal, seesGone }),
    ...createSweepActivities(dependencies),
  };
  return withSettings(withTextsFitForHistory(withTelling(activities), dependencies), dependencies);
}

export type Activities = ReturnType<typeof createActivities>;
