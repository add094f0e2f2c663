import {
  type ActivityInput,
  type Next,
  type WorkflowExecuteInput,
  type WorkflowInboundCallsInterceptor,
  type WorkflowInterceptors,
  type WorkflowOutboundCallsInterceptor,
} from '@temporalio/workflow';
import type { Activities } from '../activities';
import type { RunInput, TaskInput } from '../contract/inputs';
import type { LaunchingHome } from '../contract/plan';

/**
 * Where an activity can be done. `anywhere`: by any worker of the run's task queue. `files`: only where the run was
 * started, as it writes to that machine's disk. `secrets`: likewise, if the run refers to variables of that machine.
 */
type Place = 'anywhere' | 'files' | 'secrets';

/** Every activity has its entry, so that a new one can't end up on a disk by accident. */
const places: Readonly<Record<keyof Activities, Place>> = {
  createEndpoint: 'secrets',
  awaitEndpointReady: 'secrets',
  describeEndpoint: 'anywhere',
  probeExistingEndpoint: 'secrets',
  watchEndpoint: 'secrets',
  describeServing: 'secrets',
  submitJob: 'secrets',
  awaitJobCompleted: 'anywhere',
  describeJob: 'anywhere',
  saveEndpointLog: 'files',
  saveJobLog: 'files',
  fetchResults: 'files',
  recordRun: 'files',
  // What ends costs must not wait for a machine that may be asleep.
  stopJob: 'anywhere',
  removeJob: 'anywhere',
  removeEndpoint: 'anywhere',
  removeStorage: 'anywhere',
  sweepPlatform: 'anywhere',
};

/** The task queue of an activity; `undefined`: the workflow's own. Pure. */
export function queueFor(activity: string, home: LaunchingHome | undefined): string | undefined {
  const place = home && places[activity as keyof Activities];
  switch (place) {
    case 'files':
      return home?.taskQueue;
    case 'secrets':
      return home?.holdsSecrets ? home.taskQueue : undefined;
    case 'anywhere':
    case undefined:
      return undefined;
  }
}

/** Sends each activity of a run or task to where it can be done. The queue is no part of what a replay compares. */
class Routing implements WorkflowInboundCallsInterceptor, WorkflowOutboundCallsInterceptor {
  private home: LaunchingHome | undefined;

  execute(
    input: WorkflowExecuteInput,
    next: Next<WorkflowInboundCallsInterceptor, 'execute'>,
  ): ReturnType<typeof next> {
    this.home = homeIn(input.args[0] as Partial<RunInput & TaskInput> | undefined);
    return next(input);
  }

  scheduleActivity(
    input: ActivityInput,
    next: Next<WorkflowOutboundCallsInterceptor, 'scheduleActivity'>,
  ): ReturnType<typeof next> {
    const taskQueue = queueFor(input.activityType, this.home);
    return next(taskQueue === undefined ? input : { ...input, options: { ...input.options, taskQueue } });
  }
}

const homeIn = (input: Partial<RunInput & TaskInput> | undefined): LaunchingHome | undefined =>
  (input?.plan ?? input?.run)?.home;

/** What the bundle registers: see `workflowInterceptorModules` where it is made. */
export function interceptors(): WorkflowInterceptors {
  const routing = new Routing();
  return { inbound: [routing], outbound: [routing] };
}
