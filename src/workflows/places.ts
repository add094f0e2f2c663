import {
  type ActivityInput,
  type Next,
  type WorkflowExecuteInput,
  type WorkflowInboundCallsInterceptor,
  type WorkflowInterceptors,
  type WorkflowOutboundCallsInterceptor,
} from '@temporalio/workflow';
import type { Activities } from '../activities';
import type { RunHeader, RunInput } from '../contract/inputs/run';
import type { TaskInput } from '../contract/inputs/task';

/**
 * Where an activity may run. `anywhere`: on any worker of the run's task queue. `files`: only on the machine that started the
 * run, because it writes to that disk. `secrets`: likewise, but only if the run refers to environment variables of that machine.
 */
type Place = 'anywhere' | 'files' | 'secrets' | 'files and secrets';

/** Lists every activity, so that a new one can't write to the wrong machine's disk by omission. */
const places: Readonly<Record<keyof Activities, Place>> = {
  // What the launching machine has itself was tried there before the run began.
  preflight: 'anywhere',
  claimEndpoints: 'anywhere',
  endedRuns: 'anywhere',
  createEndpoint: 'secrets',
  awaitEndpointReady: 'secrets',
  awaitEndpointUrl: 'anywhere',
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
  bringHome: 'files',
  takeOverResults: 'files',
  restoreCaches: 'files',
  recordRun: 'files',
  exportRun: 'files and secrets',
  // Activities that end costs must not depend on a machine that may be asleep.
  stopJob: 'anywhere',
  removeJob: 'anywhere',
  removeEndpoint: 'anywhere',
  // Only for runs whose workers all share one home.
  saveLogAndRemoveEndpoint: 'files',
  removeStorage: 'anywhere',
  removeJobAndStorage: 'anywhere',
  sweepPlatform: 'anywhere',
};

/** What decides where a run's activities go. */
export type Homed = Pick<RunHeader, 'home' | 'resultsStore'>;

/** Returns the task queue of an activity; `undefined`: the workflow's own. Any worker can write to a results store. Pure. */
export function queueFor(activity: string, run: Homed | undefined): string | undefined {
  const home = run?.home;
  const place = home && places[activity as keyof Activities];
  switch (place) {
    case 'files':
      return run?.resultsStore === undefined ? home?.taskQueue : undefined;
    case 'secrets':
      return home?.holdsSecrets ? home.taskQueue : undefined;
    case 'files and secrets':
      return run?.resultsStore === undefined || home?.holdsSecrets ? home?.taskQueue : undefined;
    case 'anywhere':
    case undefined:
      return undefined;
  }
}

/** Routes each activity of a run or task to a queue where it may run. Replay does not compare task queues. */
class Routing implements WorkflowInboundCallsInterceptor, WorkflowOutboundCallsInterceptor {
  private run: Homed | undefined;

  execute(
    input: WorkflowExecuteInput,
    next: Next<WorkflowInboundCallsInterceptor, 'execute'>,
  ): ReturnType<typeof next> {
    this.run = runIn(input.args[0] as Partial<RunInput & TaskInput> | undefined);
    return next(input);
  }

  scheduleActivity(
    input: ActivityInput,
    next: Next<WorkflowOutboundCallsInterceptor, 'scheduleActivity'>,
  ): ReturnType<typeof next> {
    const taskQueue = queueFor(input.activityType, this.run);
    return next(taskQueue === undefined ? input : { ...input, options: { ...input.options, taskQueue } });
  }
}

const runIn = (input: Partial<RunInput & TaskInput> | undefined): Homed | undefined => input?.plan ?? input?.run;

/** Entry point of `workflowInterceptorModules` in the workflow bundle. */
export function interceptors(): WorkflowInterceptors {
  const routing = new Routing();
  return { inbound: [routing], outbound: [routing] };
}
